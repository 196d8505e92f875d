--
-- PostgreSQL database dump
--

\restrict JZg1rtDoJXJum38GLNIkBDSj739KZJJrdjm59YiFtxRQgVyeuQr1Kzvazy2edsP

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    id integer NOT NULL,
    work_id character varying(64) NOT NULL,
    provider character varying(40) NOT NULL,
    collection bytea NOT NULL,
    state character varying(20) NOT NULL,
    credits_expected bigint NOT NULL,
    credits_charged bigint DEFAULT '0'::bigint NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision,
    detail text DEFAULT ''::text NOT NULL,
    answer text DEFAULT ''::text NOT NULL,
    request_id character varying(200) DEFAULT ''::character varying NOT NULL,
    item_key bytea,
    run character varying(200) DEFAULT ''::character varying NOT NULL,
    sent_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    cut_hash character varying(64) DEFAULT ''::character varying NOT NULL
);


--
-- Name: attempts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.attempts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: attempts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.attempts_id_seq OWNED BY public.attempts.id;


--
-- Name: episodes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.episodes (
    kind character varying(20) NOT NULL,
    subject bytea NOT NULL,
    title text NOT NULL,
    began_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    told_at double precision NOT NULL
);


--
-- Name: gates; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.gates (
    provider character varying(40) NOT NULL,
    state character varying(20) NOT NULL,
    reason character varying(40) NOT NULL,
    since double precision NOT NULL,
    episode integer NOT NULL,
    balance bigint,
    balance_at double precision DEFAULT '0'::double precision NOT NULL,
    until double precision DEFAULT '0'::double precision NOT NULL,
    trips integer DEFAULT 0 NOT NULL,
    why text DEFAULT ''::text NOT NULL,
    held_open boolean DEFAULT false NOT NULL
);


--
-- Name: items; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.items (
    key bytea NOT NULL,
    collection bytea NOT NULL,
    evidence text DEFAULT ''::text NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    size_bytes bigint DEFAULT '0'::bigint NOT NULL,
    media_type character varying(40) DEFAULT ''::character varying NOT NULL,
    absent boolean DEFAULT false NOT NULL,
    state character varying(20) NOT NULL,
    reason character varying(20) DEFAULT ''::character varying NOT NULL,
    detail text DEFAULT ''::text NOT NULL,
    work_id character varying(64) DEFAULT ''::character varying NOT NULL,
    changed_at double precision NOT NULL,
    stem bytea,
    stem_fold bytea,
    published_work_id character varying(64) DEFAULT ''::character varying NOT NULL,
    published_cut_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    published_rendition_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    output_name bytea,
    output_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    published_at double precision,
    published_content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    absent_since double precision,
    trash_name bytea,
    trashed_at double precision
);


--
-- Name: leases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.leases (
    name bytea NOT NULL,
    owner character varying(200) NOT NULL,
    token bigint NOT NULL,
    ends_at double precision NOT NULL
);


--
-- Name: limits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.limits (
    provider character varying(40) NOT NULL,
    state json NOT NULL
);


--
-- Name: masters; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.masters (
    work_id character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    width_px integer NOT NULL,
    height_px integer NOT NULL,
    suspicion text DEFAULT ''::text NOT NULL,
    stored_at double precision NOT NULL,
    sent_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    cut_hash character varying(64) DEFAULT ''::character varying NOT NULL
);


--
-- Name: outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outbox (
    id integer NOT NULL,
    target character varying(16) NOT NULL,
    event character varying(10) NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    made_at double precision NOT NULL,
    state character varying(10) NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    due_at double precision NOT NULL,
    ended_at double precision,
    detail text DEFAULT ''::text NOT NULL
);


--
-- Name: outbox_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.outbox_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: outbox_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.outbox_id_seq OWNED BY public.outbox.id;


--
-- Name: syncs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.syncs (
    id integer NOT NULL,
    kind character varying(20) NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision NOT NULL,
    facts json NOT NULL
);


--
-- Name: syncs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.syncs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: syncs_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.syncs_id_seq OWNED BY public.syncs.id;


--
-- Name: attempts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq'::regclass);


--
-- Name: outbox id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox ALTER COLUMN id SET DEFAULT nextval('public.outbox_id_seq'::regclass);


--
-- Name: syncs id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.syncs ALTER COLUMN id SET DEFAULT nextval('public.syncs_id_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0004');


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, '7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175', 'bgeraser', '\x636f6c6c656374696f6e2062616773', 'charged', 1000, 1000, 1795811751.920496, 1795811753.3725374, '', '', '', '\x626167732f312e706e67', 'command 2026-11-27T20:35:46+00:00 10523', '98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (2, 'dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1', 'bgeraser', '\x636f6c6c656374696f6e2062616773', 'charged', 1000, 1000, 1795811752.0350745, 1795811753.3893838, '', '', '', '\x626167732f302e706e67', 'command 2026-11-27T20:35:46+00:00 10523', 'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (3, '17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18', 'bgeraser', '\x636f6c6c656374696f6e2068617473', 'charged', 1000, 1000, 1795811753.5582058, 1795811753.6739721, '', '', '', '\x686174732f302e706e67', 'command 2026-11-27T20:35:46+00:00 10523', '09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (4, 'b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c', 'bgeraser', '\x636f6c6c656374696f6e2073686f6573', 'charged', 1000, 1000, 1795811753.8391926, 1795811754.0453103, '', '', '', '\x73686f65732f6e65772e706e67', 'command 2026-11-27T20:35:46+00:00 10523', '6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (5, '824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', 'bgeraser', '\x636f6c6c656374696f6e2073686f6573', 'charged', 1000, 1000, 1795811753.89499, 1795811754.0930798, '', '', '', '\x73686f65732f302e706e67', 'command 2026-11-27T20:35:46+00:00 10523', '9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (6, 'e593ffb99836f0622f68a1c6fecd7cd1cfe91329f5d350d87311d4667d91dc36', 'bgeraser', '\x636f6c6c656374696f6e2062656c7473', 'intent', 1000, 0, 1795811768.5316026, NULL, '', '', '', '\x62656c74732f302e706e67', 'command 2026-11-27T20:36:02+00:00 12847', 'ddca84cbc60754e32b040260fbbcd521d472e309c4f864c4b7ec32591d1e7c26', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.attempts VALUES (7, '9d05c21e4971065c90f2c7a534753e7269dec6bb11328ab5a484ee2e33ce43f3', 'bgeraser', '\x636f6c6c656374696f6e2062656c7473', 'intent', 1000, 0, 1795811768.6892998, NULL, '', '', '', '\x62656c74732f312e706e67', 'command 2026-11-27T20:36:02+00:00 12847', '809e1258f476ce27c62f38ad2121229fce0c73db05c1fdd14a38e8a38f1b70f0', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');


--
-- Data for Name: episodes; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: gates; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.gates VALUES ('bgeraser', 'open', '', 0, 0, 1000000, 1795811762.9831676, 0, 0, '', false);


--
-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.items VALUES ('\x626167732f62726f6b656e2e706e67', '\x62616773', '60:1795808139052065849:1795811739052054705:1777675', 'cb66ceaa533b7294d4f70d3b2fd8f8bcf0d0ea9db40baa6dd65340bce0b0143b', 60, 'image/png', false, 'failed', 'new', 'cannot be read as a picture: image file is truncated', 'bce2e171b1e4f5923436813a13b14a30db33d07ce61195583bcb158ca5506203', 1795811751.8794007, '\x626167732f62726f6b656e', '\x626167732f62726f6b656e', '', '', '', NULL, '', NULL, '', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x626167732f302e706e67', '\x62616773', '160:1795808139051750659:1795811739051732867:1777670', 'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df', 160, 'image/png', false, 'published', 'new', 'not seen before', 'dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1', 1795811753.416765, '\x626167732f30', '\x626167732f30', 'dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x626167732f302e706e67', '603bbbb0d351b9854b852bd08b5d101d9f9fff9ce65ddbf4e3a626129a32033c', 1795811753.4167643, 'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x626167732f312e706e67', '\x62616773', '166:1795808139051835060:1795811739051823462:1777671', '491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33', 166, 'image/png', false, 'published', 'new', 'not seen before', '7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175', 1795811753.428759, '\x626167732f31', '\x626167732f31', '7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x626167732f312e706e67', '042d01a6d4812a3a1e6038e4cf72f0a75b798684cf05e4f1404cbb963da96db1', 1795811753.4287577, '491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x686174732f302e706e67', '\x68617473', '165:1795808139052209138:1795811739052170757:1777678', 'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e', 165, 'image/png', false, 'published', 'new', 'not seen before', '17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18', 1795811753.7253673, '\x686174732f30', '\x686174732f30', '17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x686174732f302e706e67', 'f927c2e2cafdb03586c483169e9059874332bf0a24c10e124fac76a6630e6c0e', 1795811753.7253666, 'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x73686f65732f6e65772e706e67', '\x73686f6573', '165:1795808139052119970:1795811739052111669:1777676', '5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b', 165, 'image/png', false, 'published', 'new', 'not seen before', 'b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c', 1795811754.1038656, '\x73686f65732f6e6577', '\x73686f65732f6e6577', 'b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x73686f65732f6e65772e706e67', 'eb88d32d4c4ef9c09da756f419c746716fe06a921e4737045d642c0003e521e0', 1795811754.1038647, '5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x73686f65732f302e706e67', '\x73686f6573', '165:1795808139051900386:1795811739051892284:1777673', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', 165, 'image/png', false, 'published', 'new', 'not seen before', '824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', 1795811754.163149, '\x73686f65732f30', '\x73686f65732f30', '824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x73686f65732f302e706e67', 'ecee650d7dfec672c60fd2cf2631050d7f458d291ec944800fc1a69900035511', 1795811754.163148, 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x73686f65732f636f70792e706e67', '\x73686f6573', '165:1795808139051950931:1795811739051942488:1777674', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', 165, 'image/png', false, 'published', 'duplicate', 'the same picture as shoes/0.png', '824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', 1795811754.2055771, '\x73686f65732f636f7079', '\x73686f65732f636f7079', '824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752', 'cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad', '\x73686f65732f636f70792e706e67', 'ecee650d7dfec672c60fd2cf2631050d7f458d291ec944800fc1a69900035511', 1795811754.2055762, 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x62656c74732f302e706e67', '\x62656c7473', '165:1795808155969509840:1795811755969492840:1777782', '2a944e86c278552e5bde97046350ab8ce776b45bdc58e449fe30dd98cd688366', 165, 'image/png', false, 'pending', 'new', 'not seen before', 'e593ffb99836f0622f68a1c6fecd7cd1cfe91329f5d350d87311d4667d91dc36', 1795811762.8669972, '\x62656c74732f30', '\x62656c74732f30', '', '', '', NULL, '', NULL, '', NULL, NULL, NULL);
INSERT INTO public.items VALUES ('\x62656c74732f312e706e67', '\x62656c7473', '165:1795808155969593763:1795811755969584125:1777783', 'cf69a93907a53368324bf9f596511eac42d98c5b0d09aaf6113c2f71f23c56ad', 165, 'image/png', false, 'pending', 'new', 'not seen before', '9d05c21e4971065c90f2c7a534753e7269dec6bb11328ab5a484ee2e33ce43f3', 1795811762.8669972, '\x62656c74732f31', '\x62656c74732f31', '', '', '', NULL, '', NULL, '', NULL, NULL, NULL);


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.leases VALUES ('\x636f6c6c656374696f6e2062616773', 'root@vm, process 10523', 1, 0);
INSERT INTO public.leases VALUES ('\x636f6c6c656374696f6e2068617473', 'root@vm, process 10523', 1, 0);
INSERT INTO public.leases VALUES ('\x636f6c6c656374696f6e2073686f6573', 'root@vm, process 10523', 1, 0);
INSERT INTO public.leases VALUES ('\x646574656374696f6e', 'root@vm, process 12847', 4, 0);
INSERT INTO public.leases VALUES ('\x636f6c6c656374696f6e2062656c7473', 'root@vm, process 12847', 1, 1795811882.9360306);


--
-- Data for Name: limits; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.limits VALUES ('bgeraser', '{"slots": {"250b3e14-a4f0-4f6d-88cb-e6c889668df9/4026531836:12847:6d4e0bce-0": {"since": 1795811768.5274935, "deadline": 1795811898.5274935, "units": 1.0, "rank": 1, "window_units": 6.0}, "250b3e14-a4f0-4f6d-88cb-e6c889668df9/4026531836:12847:d39ec594-1": {"since": 1795811768.6802268, "deadline": 1795811898.6802268, "units": 1.0, "rank": 2, "window_units": 7.0}}, "width": 5, "base": 1, "throughput": 0.0, "reached": 2, "step": 5, "patience": 5, "probe_after": 5, "streak": 0, "streak_s": 0.0, "failures": 0, "alert": 0, "blame_width": false, "sent": [[7183247007, 1.0], [7183247008, 1.0], [7183247014, 1.0], [7183247015, 2.0], [7183247074, 2.0]], "pace": "free", "units": 5.0, "told": false, "answers": 0, "look_after": 150, "next_at": 1795811768.6802268}');


--
-- Data for Name: masters; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.masters VALUES ('7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175', '3536b644e11a650a35158435fc6103b9b885c146d1692ed85ab2e772044ec7a8', 48, 48, '', 1795811753.3695111, '98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.masters VALUES ('dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1', '00904b0fb0efb6ea79d619eca03d9ff56e71ff569057ff961bac38cd581377d3', 48, 48, '', 1795811753.386208, 'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.masters VALUES ('17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18', '2726286ccfbfc5901dfd47f2b5321cefc16c945efa2675ebee6dd9e69337d27d', 48, 48, '', 1795811753.6726182, '09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.masters VALUES ('b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c', '7ec50d46e7678ccaec1dadd7abc098376b34736e949b4d14634775ba86178719', 48, 48, '', 1795811754.0306602, '6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO public.masters VALUES ('824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5', '51738ca6c42ec70fc890dd63fdd341c3e935e10e50442833b92034642afc1869', 48, 48, '', 1795811754.088487, '9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee', 'c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: syncs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.syncs VALUES (1, 'balance', 1795811746.4278698, 1795811746.5053685, '{"provider": "bgeraser", "balance": 1000.0}');
INSERT INTO public.syncs VALUES (2, 'scan', 1795811746.5357583, 1795811746.5698848, '{"complete": true, "listed": 7, "sentinel_seen": false}');
INSERT INTO public.syncs VALUES (3, 'rehash', 1795811746.5357583, 1795811746.5773613, '{"day": 20784, "slice": 0}');
INSERT INTO public.syncs VALUES (4, 'detect', 1795811746.605462, 1795811746.697455, '{"counts": {"new": 6, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 1, "renamed": 0, "output_missing": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "collision": 0}, "rows": [{"class": "new", "items": 6, "to_buy": 6, "credits": 6.0, "why": "bags/0.png: not seen before; \u2026"}, {"class": "duplicate", "items": 1, "to_buy": 0, "credits": 0.0, "why": "shoes/copy.png: the same picture as shoes/0.png"}], "work": 7, "purchases": 6, "credits": 6.0}');
INSERT INTO public.syncs VALUES (5, 'sync', 1795811746.4105508, 1795811754.22121, '{"published": 6, "purchases": 5, "credits": 5.0, "saved": 1.0, "in_doubt": 0, "credits_in_doubt": 0.0, "wasted": 0, "bought_from": {"bgeraser": 5}, "duplicates": 1, "renamed": 0, "failed": 1, "quarantined": 0, "pending": 0, "paused": null, "budget_reached": false, "busy": "", "seconds": 7.8096232414245605, "by_reason": {"new": 5, "duplicate": 1}, "failures": [{"key": "bags/broken.png", "state": "failed", "detail": "cannot be read as a picture: image file is truncated"}]}');
INSERT INTO public.syncs VALUES (6, 'balance', 1795811762.5357478, 1795811762.645397, '{"provider": "bgeraser", "balance": 1000.0, "drift": -5.0, "sound": false, "because": "the balance fell by 0.0, the ledger says 5"}');
INSERT INTO public.syncs VALUES (7, 'scan', 1795811762.7092302, 1795811762.7660382, '{"complete": true, "listed": 9, "sentinel_seen": false}');
INSERT INTO public.syncs VALUES (8, 'detect', 1795811762.7874296, 1795811762.8961344, '{"counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "deleted": 0, "unchanged": 6, "skipped": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "belts/0.png: not seen before; \u2026"}, {"class": "skipped", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": 2.0}');


--
-- Name: attempts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.attempts_id_seq', 7, true);


--
-- Name: outbox_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.outbox_id_seq', 1, false);


--
-- Name: syncs_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.syncs_id_seq', 8, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);


--
-- Name: episodes episodes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.episodes
    ADD CONSTRAINT episodes_pkey PRIMARY KEY (kind, subject);


--
-- Name: gates gates_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.gates
    ADD CONSTRAINT gates_pkey PRIMARY KEY (provider);


--
-- Name: items items_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (key);


--
-- Name: items items_stem_fold_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_stem_fold_key UNIQUE (stem_fold);


--
-- Name: leases leases_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);


--
-- Name: limits limits_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_pkey PRIMARY KEY (provider);


--
-- Name: masters masters_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.masters
    ADD CONSTRAINT masters_pkey PRIMARY KEY (work_id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: syncs syncs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.syncs
    ADD CONSTRAINT syncs_pkey PRIMARY KEY (id);


--
-- Name: attempts_by_run; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_run ON public.attempts USING btree (run);


--
-- Name: attempts_by_start; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_start ON public.attempts USING btree (started_at);


--
-- Name: attempts_by_work; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_work ON public.attempts USING btree (work_id);


--
-- Name: attempts_open_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX attempts_open_once ON public.attempts USING btree (work_id) WHERE ((state)::text = 'intent'::text);


--
-- Name: items_by_output_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_output_name ON public.items USING btree (output_name, absent, key);


--
-- Name: items_by_published_work; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_published_work ON public.items USING btree (published_work_id);


--
-- Name: items_by_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_state ON public.items USING btree (state, collection);


--
-- Name: masters_by_sent; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX masters_by_sent ON public.masters USING btree (sent_digest, cut_hash);


--
-- Name: outbox_by_target; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_by_target ON public.outbox USING btree (target, state, id);


--
-- Name: syncs_by_kind; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX syncs_by_kind ON public.syncs USING btree (kind, id);


--
-- PostgreSQL database dump complete
--

\unrestrict JZg1rtDoJXJum38GLNIkBDSj739KZJJrdjm59YiFtxRQgVyeuQr1Kzvazy2edsP

