"""
Known vulnerabilities of the locked packages, and secrets in the files of this repository.

Both tools are fetched for the run. Where the index or the advisories cannot be reached, this says what was not checked,
and does not fail.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

UV = os.environ.get("UV", "uv")
PIP_AUDIT, DETECT_SECRETS = "pip-audit==2.10.1", "detect-secrets==1.5.0"

OF_ANY_TEXT = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector", "BasicAuthDetector")
"""Detectors that tests with made-up keys, digests and passwords set off; the others know the forms of real keys."""


def main() -> int:
    """Return the exit code: 1 for a vulnerability or a secret."""
    found, unchecked = [], []
    for check in (vulnerabilities, secrets):
        these, why = check()
        found += these
        unchecked += [why] if why else []
    for each in found:
        print(each)
    for each in unchecked:
        print(f"not checked: {each}")
    if not (found or unchecked):
        print("no known vulnerability, and no secret")
    return int(bool(found))


def vulnerabilities() -> tuple[list[str], str]:
    """Return the vulnerabilities of the packages in uv.lock, and what kept any from being looked for."""
    with tempfile.TemporaryDirectory() as folder:
        locked = Path(folder) / "requirements.txt"
        export = [UV, "export", "-q", "--locked", "--all-extras", "--no-emit-project", "-o", str(locked)]
        subprocess.run(export, check=True)
        done = tool(PIP_AUDIT, "pip-audit", "--disable-pip", "--progress-spinner=off", "-f=json", "-r", str(locked))
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [], f"vulnerabilities: {last_line(done.stderr)}"
    found = [f"{p['name']} {p['version']}: {v['id']}" for p in packages for v in p.get("vulns", ())]
    # Without advisories of a package, pip-audit only mentions it, and ends well.
    skipped = [p for p in packages if "skip_reason" in p]
    why = f"vulnerabilities of {len(skipped)} of {len(packages)} packages: " if skipped else ""
    return found, why + (skipped[0]["skip_reason"] if skipped else "")


def secrets() -> tuple[list[str], str]:
    """Return the places of secrets in files under version control, and what kept any from being looked for."""
    options = [word for name in OF_ANY_TEXT for word in ("--disable-plugin", name)]
    done = tool(DETECT_SECRETS, "detect-secrets", "scan", *options)
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError):
        return [], f"secrets: {last_line(done.stderr)}"
    return [f"{file}:{each['line_number']}: {each['type']}" for file in results for each in results[file]], ""


def tool(package: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [UV, "tool", "run", "-q", "--from", package, *command], capture_output=True, text=True, check=False
    )


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no answer"])[-1]


if __name__ == "__main__":
    sys.exit(main())
