"""Who may use the review."""

import pytest

from bg_pipeline.web.access import Access

ORIGIN = "http://127.0.0.1:8786"
OWN = {"host": "127.0.0.1:8786", "origin": ORIGIN, "sec-fetch-site": "same-origin"}


@pytest.fixture
def links() -> list[str]:
    return []


@pytest.fixture
def access(links: list[str]) -> Access:
    made = Access(frozenset({ORIGIN, "https://review.shop.example"}), links.append)
    made.new_link()
    return made


def test_the_page_itself_may_ask_and_decide(access: Access) -> None:
    assert access.refuses("POST", OWN) == ""
    assert access.refuses("GET", {"host": "127.0.0.1:8786"}) == ""
    behind_a_proxy = {"host": "review.shop.example", "origin": "https://review.shop.example"}
    assert access.refuses("POST", behind_a_proxy) == ""


@pytest.mark.parametrize("host", ["evil.example:8786", "127.0.0.1:8787", "127.0.0.1", "localhost.evil.example", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_name_for_this_machine_is_refused(access: Access, method: str, host: str) -> None:
    assert "not the one that" in access.refuses(method, OWN | {"host": host})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "", f"{ORIGIN}.evil.example"]
)
def test_another_site_decides_nothing(access: Access, origin: str) -> None:
    assert "another site" in access.refuses("POST", OWN | {"origin": origin})
    without = {name: value for name, value in OWN.items() if name != "origin"}
    assert "another site" in access.refuses("POST", without)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_names_another_site_is_believed(access: Access, site: str) -> None:
    assert "another site" in access.refuses("POST", OWN | {"sec-fetch-site": site})


def test_a_link_works_once_and_the_next_one_is_announced(access: Access, links: list[str]) -> None:
    (link,) = links
    assert access.redeem("") == access.redeem("another") == ""
    token = access.redeem(link)

    assert token
    assert access.redeem(link) == ""
    assert len(links) == 2
    assert access.redeem(links[1]) == token


def test_a_new_link_ends_the_one_before_it(access: Access, links: list[str]) -> None:
    access.new_link()

    assert access.redeem(links[0]) == ""
    assert access.redeem(links[1])


def test_only_the_token_authorizes(access: Access, links: list[str]) -> None:
    token = access.redeem(links[0])

    assert access.is_authorized({"authorization": f"Bearer {token}"})
    for wrong in ("", token, "Bearer ", f"Basic {token}", f"Bearer {token}x", f"Bearer {links[1]}", "Bearer é\udcff"):
        assert not access.is_authorized({"authorization": wrong})
    assert not access.is_authorized({})


def test_the_secret_of_the_pictures_is_another(access: Access, links: list[str]) -> None:
    token = access.redeem(links[0])

    assert access.may_see(access.picture_secret)
    assert not access.may_see(token)
    assert not access.is_authorized({"authorization": f"Bearer {access.picture_secret}"})


def test_each_start_has_secrets_of_its_own(links: list[str]) -> None:
    tokens = set()
    for _ in range(3):
        each = Access(frozenset({ORIGIN}), links.append)
        each.new_link()
        tokens |= {each.redeem(links[-1]), each.picture_secret, links[-1]}

    assert len(tokens) == 9
    assert all(len(token) >= 32 for token in tokens)
