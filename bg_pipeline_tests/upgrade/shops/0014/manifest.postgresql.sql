--
-- PostgreSQL database dump
--

\restrict js2oMBpLg04pnZP2tqtqf9401hmJbC0IyIlloCSqVcTj6J3fCbccE3bJeUCTYlC

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
-- Name: acceptances; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.acceptances (
    catalogue_id integer NOT NULL,
    key bytea NOT NULL,
    revision bigint NOT NULL,
    reason text NOT NULL,
    accepted_at double precision NOT NULL
);


--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    name character varying(100) NOT NULL,
    vendor character varying(40) NOT NULL,
    key_digest character varying(100) DEFAULT ''::character varying NOT NULL
);


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
    id integer CONSTRAINT attempts_id_not_null1 NOT NULL,
    account character varying(100) NOT NULL,
    catalogue_id integer NOT NULL,
    item_key bytea,
    collection bytea CONSTRAINT attempts_collection_not_null1 NOT NULL,
    claim_id bigint,
    run character varying(200) DEFAULT ''::character varying CONSTRAINT attempts_run_not_null1 NOT NULL,
    purchase_id character varying(64) NOT NULL,
    sent_digest character varying(64) DEFAULT ''::character varying CONSTRAINT attempts_sent_digest_not_null1 NOT NULL,
    cut_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    state character varying(20) CONSTRAINT attempts_state_not_null1 NOT NULL,
    credits_expected bigint CONSTRAINT attempts_credits_expected_not_null1 NOT NULL,
    credits_charged bigint DEFAULT '0'::bigint CONSTRAINT attempts_credits_charged_not_null1 NOT NULL,
    started_at double precision CONSTRAINT attempts_started_at_not_null1 NOT NULL,
    ended_at double precision,
    detail text DEFAULT ''::text CONSTRAINT attempts_detail_not_null1 NOT NULL,
    answer text DEFAULT ''::text CONSTRAINT attempts_answer_not_null1 NOT NULL,
    request_id character varying(200) DEFAULT ''::character varying CONSTRAINT attempts_request_id_not_null1 NOT NULL,
    kind character varying(20) DEFAULT ''::character varying NOT NULL,
    waived boolean DEFAULT false NOT NULL,
    use character varying(20)
);


--
-- Name: attempts_id_seq1; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.attempts_id_seq1
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: attempts_id_seq1; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.attempts_id_seq1 OWNED BY public.attempts.id;


--
-- Name: catalogues; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.catalogues (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    delta bigint DEFAULT '0'::bigint NOT NULL
);


--
-- Name: catalogues_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.catalogues_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: catalogues_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.catalogues_id_seq OWNED BY public.catalogues.id;


--
-- Name: claims; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.claims (
    id integer NOT NULL,
    catalogue_id integer NOT NULL,
    owner character varying(200) NOT NULL,
    asked_by character varying(20) NOT NULL,
    run character varying(200) NOT NULL,
    cap bigint,
    started_at double precision NOT NULL,
    ends_at double precision NOT NULL
);


--
-- Name: claims_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.claims_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: claims_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.claims_id_seq OWNED BY public.claims.id;


--
-- Name: decisions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.decisions (
    id integer NOT NULL,
    catalogue_id integer NOT NULL,
    key bytea NOT NULL,
    decision character varying(20) NOT NULL,
    decided_at double precision NOT NULL,
    decided_by text NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    result_digest character varying(64) DEFAULT ''::character varying NOT NULL
);


--
-- Name: decisions_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.decisions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: decisions_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.decisions_id_seq OWNED BY public.decisions.id;


--
-- Name: gates; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.gates (
    account character varying(100) NOT NULL,
    state character varying(20) CONSTRAINT gates_state_not_null1 NOT NULL,
    reason character varying(40) CONSTRAINT gates_reason_not_null1 NOT NULL,
    since double precision CONSTRAINT gates_since_not_null1 NOT NULL,
    pause integer NOT NULL,
    balance bigint,
    balance_at double precision DEFAULT '0'::double precision CONSTRAINT gates_balance_at_not_null1 NOT NULL,
    until double precision DEFAULT '0'::double precision CONSTRAINT gates_until_not_null1 NOT NULL,
    trips integer DEFAULT 0 CONSTRAINT gates_trips_not_null1 NOT NULL,
    why text DEFAULT ''::text CONSTRAINT gates_why_not_null1 NOT NULL,
    forced_open boolean DEFAULT false NOT NULL,
    reading bigint,
    expected bigint,
    cleared_at double precision DEFAULT '0'::double precision NOT NULL
);


--
-- Name: incidents; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.incidents (
    catalogue_id integer CONSTRAINT new_incidents_catalogue_id_not_null NOT NULL,
    kind character varying(20) CONSTRAINT new_incidents_kind_not_null NOT NULL,
    subject bytea CONSTRAINT new_incidents_subject_not_null NOT NULL,
    title text CONSTRAINT new_incidents_title_not_null NOT NULL,
    began_at double precision CONSTRAINT new_incidents_began_at_not_null NOT NULL,
    seen_at double precision CONSTRAINT new_incidents_seen_at_not_null NOT NULL,
    notified_at double precision CONSTRAINT new_incidents_notified_at_not_null NOT NULL
);


--
-- Name: items; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.items (
    catalogue_id integer NOT NULL,
    key bytea CONSTRAINT items_key_not_null1 NOT NULL,
    collection bytea CONSTRAINT items_collection_not_null1 NOT NULL,
    fingerprint text DEFAULT ''::text NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying CONSTRAINT items_content_hash_not_null1 NOT NULL,
    size_bytes bigint DEFAULT '0'::bigint CONSTRAINT items_size_bytes_not_null1 NOT NULL,
    media_type character varying(40) DEFAULT ''::character varying CONSTRAINT items_media_type_not_null1 NOT NULL,
    absent boolean DEFAULT false CONSTRAINT items_absent_not_null1 NOT NULL,
    absent_since double precision,
    state character varying(20) CONSTRAINT items_state_not_null1 NOT NULL,
    reason character varying(20) DEFAULT ''::character varying CONSTRAINT items_reason_not_null1 NOT NULL,
    detail text DEFAULT ''::text CONSTRAINT items_detail_not_null1 NOT NULL,
    purchase_id character varying(64) DEFAULT ''::character varying NOT NULL,
    changed_at double precision CONSTRAINT items_changed_at_not_null1 NOT NULL,
    delta bigint DEFAULT '0'::bigint NOT NULL,
    revision bigint DEFAULT '0'::bigint NOT NULL,
    claim_id bigint,
    stem bytea,
    stem_fold bytea,
    step integer DEFAULT 0 NOT NULL,
    priority double precision DEFAULT '1e+300'::double precision NOT NULL,
    problem text DEFAULT ''::text NOT NULL
);


--
-- Name: leases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.leases (
    catalogue_id integer NOT NULL,
    name bytea CONSTRAINT leases_name_not_null1 NOT NULL,
    owner character varying(200) CONSTRAINT leases_owner_not_null1 NOT NULL,
    token bigint CONSTRAINT leases_token_not_null1 NOT NULL,
    ends_at double precision CONSTRAINT leases_ends_at_not_null1 NOT NULL
);


--
-- Name: limits; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.limits (
    account character varying(100) NOT NULL,
    state json CONSTRAINT limits_state_not_null1 NOT NULL
);


--
-- Name: manifest; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.manifest (
    id integer NOT NULL,
    identity character varying(32) NOT NULL
);


--
-- Name: manifest_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.manifest_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: manifest_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.manifest_id_seq OWNED BY public.manifest.id;


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
-- Name: previous_outputs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.previous_outputs (
    catalogue_id integer NOT NULL,
    key bytea NOT NULL,
    rendition character varying(60) NOT NULL,
    run character varying(200) NOT NULL,
    purchase_id character varying(64) DEFAULT ''::character varying NOT NULL,
    cut_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    rendition_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    output_name bytea,
    output_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    published_at double precision,
    published_by character varying(200) DEFAULT ''::character varying NOT NULL,
    kept_name bytea,
    kept_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    replaced_at double precision NOT NULL
);


--
-- Name: pruned; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.pruned (
    purchase_id character varying(64) NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    pruned_at double precision NOT NULL,
    removed boolean DEFAULT false NOT NULL
);


--
-- Name: publications; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.publications (
    catalogue_id integer NOT NULL,
    key bytea NOT NULL,
    rendition character varying(60) NOT NULL,
    purchase_id character varying(64) DEFAULT ''::character varying NOT NULL,
    cut_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    rendition_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    output_name bytea,
    output_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    published_at double precision,
    trash_name bytea,
    trashed_at double precision,
    run character varying(200) DEFAULT ''::character varying NOT NULL
);


--
-- Name: purchases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.purchases (
    purchase_id character varying(64) NOT NULL,
    digest character varying(64) NOT NULL,
    width_px integer NOT NULL,
    height_px integer NOT NULL,
    suspicion text DEFAULT ''::text NOT NULL,
    stored_at double precision NOT NULL,
    sent_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    cut_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    unused_since double precision,
    use character varying(20)
);


--
-- Name: reversions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.reversions (
    catalogue_id integer NOT NULL,
    key bytea NOT NULL,
    rendition character varying(60) NOT NULL,
    run character varying(200) NOT NULL,
    cut_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    rendition_digest character varying(64) DEFAULT ''::character varying NOT NULL,
    content_hash character varying(64) DEFAULT ''::character varying NOT NULL,
    reverted_by text NOT NULL,
    reverted_at double precision NOT NULL
);


--
-- Name: run_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.run_log (
    id integer NOT NULL,
    kind character varying(20) NOT NULL,
    catalogue_id integer,
    account character varying(100),
    run_id character varying(200) DEFAULT ''::character varying NOT NULL,
    job character varying(100) DEFAULT ''::character varying NOT NULL,
    started_at double precision NOT NULL,
    ended_at double precision NOT NULL,
    record json NOT NULL
);


--
-- Name: run_log_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.run_log_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: run_log_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.run_log_id_seq OWNED BY public.run_log.id;


--
-- Name: attempts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq1'::regclass);


--
-- Name: catalogues id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.catalogues ALTER COLUMN id SET DEFAULT nextval('public.catalogues_id_seq'::regclass);


--
-- Name: claims id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.claims ALTER COLUMN id SET DEFAULT nextval('public.claims_id_seq'::regclass);


--
-- Name: decisions id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.decisions ALTER COLUMN id SET DEFAULT nextval('public.decisions_id_seq'::regclass);


--
-- Name: manifest id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.manifest ALTER COLUMN id SET DEFAULT nextval('public.manifest_id_seq'::regclass);


--
-- Name: outbox id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox ALTER COLUMN id SET DEFAULT nextval('public.outbox_id_seq'::regclass);


--
-- Name: run_log id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.run_log ALTER COLUMN id SET DEFAULT nextval('public.run_log_id_seq'::regclass);


--
-- Data for Name: acceptances; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES ('bgeraser', 'bgeraser', '3814f0d90952ee92:e911e2c43acf3fc573e3ab2375088df0f4f676b99531ef74fc7fd4610f697676');


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0014');


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, 'bgeraser', 1, '\x626167732f312e706e67', '\x62616773', 1, 'command 2026-11-27T20:38:05+00:00 25144', '8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c', '98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'charged', 1000, 1000, 1795811890.6534567, 1795811891.9502616, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (4, 'bgeraser', 1, '\x73686f65732f302e706e67', '\x73686f6573', 1, 'command 2026-11-27T20:38:05+00:00 25144', '57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', '9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'charged', 1000, 1000, 1795811891.0867903, 1795811892.0536253, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (2, 'bgeraser', 1, '\x626167732f302e706e67', '\x62616773', 1, 'command 2026-11-27T20:38:05+00:00 25144', '87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118', 'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'charged', 1000, 1000, 1795811890.670441, 1795811892.0937738, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (3, 'bgeraser', 1, '\x73686f65732f6e65772e706e67', '\x73686f6573', 1, 'command 2026-11-27T20:38:05+00:00 25144', 'b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54', '6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'charged', 1000, 1000, 1795811890.8783617, 1795811892.2060878, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (5, 'bgeraser', 1, '\x686174732f302e706e67', '\x68617473', 1, 'command 2026-11-27T20:38:05+00:00 25144', '5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160', '09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'charged', 1000, 1000, 1795811891.2545795, 1795811892.3109665, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (6, 'bgeraser', 1, '\x62656c74732f312e706e67', '\x62656c7473', 2, 'command 2026-11-27T20:38:22+00:00 26340', '3537ead49490fb42250eff24998737b6f00110686e22036cbd28c4c7fc4b23c2', '809e1258f476ce27c62f38ad2121229fce0c73db05c1fdd14a38e8a38f1b70f0', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'intent', 1000, 0, 1795811906.2446156, NULL, '', '', '', '', false, 'alpha');
INSERT INTO public.attempts VALUES (7, 'bgeraser', 1, '\x62656c74732f302e706e67', '\x62656c7473', 2, 'command 2026-11-27T20:38:22+00:00 26340', '2256f00931da01e42ca4d417a106cdfcfe431aa04a39bf801d4b0965fc8f2843', 'ddca84cbc60754e32b040260fbbcd521d472e309c4f864c4b7ec32591d1e7c26', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'intent', 1000, 0, 1795811906.2505586, NULL, '', '', '', '', false, 'alpha');


--
-- Data for Name: catalogues; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.catalogues VALUES (1, 'default', 2);


--
-- Data for Name: claims; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.claims VALUES (2, 1, 'root@vm, process 26340', 'sync', 'command 2026-11-27T20:38:22+00:00 26340', NULL, 1795811905.695364, 1795811925.695364);


--
-- Data for Name: decisions; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: gates; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.gates VALUES ('bgeraser', 'open', '', 0, 0, 995000, 1795811905.634126, 0, 0, '', false, 1000000, 995000, 0);


--
-- Data for Name: incidents; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.items VALUES (1, '\x626167732f62726f6b656e2e706e67', '\x62616773', '60:1795808278515875101:1795811878515865750:1630552', 'cb66ceaa533b7294d4f70d3b2fd8f8bcf0d0ea9db40baa6dd65340bce0b0143b', 60, 'image/png', false, NULL, 'failed', 'new', 'cannot be read as a picture: image file is truncated', '31d9bc0218dd09e4f460cd98e22d1b5d9cc1f391d3e32a85c9a44e29d6472237', 1795811890.6133027, 1, 2, NULL, '\x626167732f62726f6b656e', '\x626167732f62726f6b656e', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x626167732f312e706e67', '\x62616773', '166:1795808278515691995:1795811878515683480:1630466', '491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33', 166, 'image/png', false, NULL, 'published', 'new', 'not seen before', '8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c', 1795811892.2467134, 1, 2, NULL, '\x626167732f31', '\x626167732f31', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x73686f65732f302e706e67', '\x73686f6573', '165:1795808278515762805:1795811878515754876:1630525', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', 165, 'image/png', false, NULL, 'published', 'new', 'not seen before', '57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', 1795811892.3024213, 1, 2, NULL, '\x73686f65732f30', '\x73686f65732f30', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x626167732f302e706e67', '\x62616773', '160:1795808278515625476:1795811878515613236:1630450', 'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df', 160, 'image/png', false, NULL, 'published', 'new', 'not seen before', '87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118', 1795811892.327776, 1, 2, NULL, '\x626167732f30', '\x626167732f30', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x73686f65732f636f70792e706e67', '\x73686f6573', '165:1795808278515815734:1795811878515807254:1630530', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', 165, 'image/png', false, NULL, 'published', 'duplicate', 'the same picture as shoes/0.png', '57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', 1795811892.3508396, 1, 2, NULL, '\x73686f65732f636f7079', '\x73686f65732f636f7079', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x686174732f302e706e67', '\x68617473', '165:1795808278516006231:1795811878515998247:1630594', 'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e', 165, 'image/png', false, NULL, 'published', 'new', 'not seen before', '5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160', 1795811892.382435, 1, 2, NULL, '\x686174732f30', '\x686174732f30', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x73686f65732f6e65772e706e67', '\x73686f6573', '165:1795808278515930891:1795811878515922935:1630562', '5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b', 165, 'image/png', false, NULL, 'published', 'new', 'not seen before', 'b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54', 1795811892.3926575, 1, 2, NULL, '\x73686f65732f6e6577', '\x73686f65732f6e6577', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x62656c74732f302e706e67', '\x62656c7473', '165:1795808295509727239:1795811895509708313:1632107', '2a944e86c278552e5bde97046350ab8ce776b45bdc58e449fe30dd98cd688366', 165, 'image/png', false, NULL, 'pending', 'new', 'not seen before', '2256f00931da01e42ca4d417a106cdfcfe431aa04a39bf801d4b0965fc8f2843', 1795811905.3316638, 2, 1, 2, '\x62656c74732f30', '\x62656c74732f30', 0, 1e+300, '');
INSERT INTO public.items VALUES (1, '\x62656c74732f312e706e67', '\x62656c7473', '165:1795808295509832859:1795811895509823514:1632108', 'cf69a93907a53368324bf9f596511eac42d98c5b0d09aaf6113c2f71f23c56ad', 165, 'image/png', false, NULL, 'pending', 'new', 'not seen before', '3537ead49490fb42250eff24998737b6f00110686e22036cbd28c4c7fc4b23c2', 1795811905.3316638, 2, 1, 2, '\x62656c74732f31', '\x62656c74732f31', 0, 1e+300, '');


--
-- Data for Name: leases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.leases VALUES (1, '\x646574656374696f6e', 'root@vm, process 26340', 6, 0);


--
-- Data for Name: limits; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.limits VALUES ('bgeraser', '{"slots": {"2:97eb9d6f-0": {"since": 1795811906.2204182, "units": 1.0, "rank": 1, "window_units": 6.0}, "2:05aa6c12-1": {"since": 1795811906.248414, "units": 1.0, "rank": 2, "window_units": 7.0}}, "width": 5, "base": 1, "throughput": 0.0, "reached": 5, "step": 5, "patience": 5, "probe_after": 5, "streak": 1, "streak_s": 1.2704215049743652, "failures": 0, "alert": 0, "blame_width": false, "sent": [[7183247562, 2.0], [7183247563, 1.0], [7183247564, 2.0], [7183247624, 2.0]], "pace": "free", "units": 5.0, "told": false, "answers": 0, "look_after": 150, "next_at": 1795811906.248414, "waits_since": 1795811906.248414}');


--
-- Data for Name: manifest; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.manifest VALUES (1, '5176b2c5e9b3148c035c107ae490358e');


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: previous_outputs; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: pruned; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: publications; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.publications VALUES (1, '\x626167732f312e706e67', 'main', '8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', '491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33', '\x626167732f312e706e67', '1100fc5645b28af546291f05ad94b4977e4fba872bd26706bfcdb1a73cd8858f', 1795811892.2438831, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');
INSERT INTO public.publications VALUES (1, '\x73686f65732f302e706e67', 'main', '57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', '\x73686f65732f302e706e67', '9a58301b91e25f80f0fe0beb035cc5cfafaa7c9a6db16260a3ff25640ef722f9', 1795811892.2902405, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');
INSERT INTO public.publications VALUES (1, '\x626167732f302e706e67', 'main', '87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', 'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df', '\x626167732f302e706e67', 'a733bcbc162cad8eac644a5bfb4e586d50b371fd92925cae1d488f2d65ace5b2', 1795811892.3271985, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');
INSERT INTO public.publications VALUES (1, '\x73686f65732f636f70792e706e67', 'main', '57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', '\x73686f65732f636f70792e706e67', '9a58301b91e25f80f0fe0beb035cc5cfafaa7c9a6db16260a3ff25640ef722f9', 1795811892.326966, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');
INSERT INTO public.publications VALUES (1, '\x686174732f302e706e67', 'main', '5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', 'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e', '\x686174732f302e706e67', '4ee194c33c4c8fd84cacfed8fc1bc35531f059e03fb50cd4814cd7c69e4562ce', 1795811892.3527777, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');
INSERT INTO public.publications VALUES (1, '\x73686f65732f6e65772e706e67', 'main', 'b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436', '5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b', '\x73686f65732f6e65772e706e67', '4b56e9b141c856f0c2ea10906ccf1bc2ce737fe66c209dd8ca4bc93bcf86ccbe', 1795811892.3516953, NULL, NULL, 'command 2026-11-27T20:38:05+00:00 25144');


--
-- Data for Name: purchases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.purchases VALUES ('8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c', '3536b644e11a650a35158435fc6103b9b885c146d1692ed85ab2e772044ec7a8', 48, 48, '', 1795811891.9487476, '98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33', NULL, 'alpha');
INSERT INTO public.purchases VALUES ('57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe', '51738ca6c42ec70fc890dd63fdd341c3e935e10e50442833b92034642afc1869', 48, 48, '', 1795811892.04457, '9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12', NULL, 'alpha');
INSERT INTO public.purchases VALUES ('87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118', '00904b0fb0efb6ea79d619eca03d9ff56e71ff569057ff961bac38cd581377d3', 48, 48, '', 1795811892.0932717, 'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df', NULL, 'alpha');
INSERT INTO public.purchases VALUES ('b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54', '7ec50d46e7678ccaec1dadd7abc098376b34736e949b4d14634775ba86178719', 48, 48, '', 1795811892.2024465, '6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', '5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b', NULL, 'alpha');
INSERT INTO public.purchases VALUES ('5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160', '2726286ccfbfc5901dfd47f2b5321cefc16c945efa2675ebee6dd9e69337d27d', 48, 48, '', 1795811892.3105638, '09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86', 'da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4', 'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e', NULL, 'alpha');


--
-- Data for Name: reversions; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: run_log; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.run_log VALUES (1, 'balance', NULL, 'bgeraser', 'command 2026-11-27T20:38:05+00:00 25144', 'sync', 1795811888.818317, 1795811888.9541984, '{"run_id": "command 2026-11-27T20:38:05+00:00 25144", "job": "sync", "collections": null, "started_at": 1795811888.818317, "ended_at": 1795811888.9541984, "account": "bgeraser", "balance": "1000", "drift": null, "sound": true, "because": ""}');
INSERT INTO public.run_log VALUES (2, 'scan', 1, NULL, 'command 2026-11-27T20:38:05+00:00 25144', 'sync', 1795811889.0323849, 1795811889.174178, '{"run_id": "command 2026-11-27T20:38:05+00:00 25144", "job": "sync", "collections": null, "started_at": 1795811889.0323849, "ended_at": 1795811889.174178, "complete": true, "listed": 7, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO public.run_log VALUES (3, 'detect', 1, NULL, 'command 2026-11-27T20:38:05+00:00 25144', 'sync', 1795811889.4772034, 1795811889.8380437, '{"run_id": "command 2026-11-27T20:38:05+00:00 25144", "job": "sync", "collections": null, "started_at": 1795811889.4772034, "ended_at": 1795811889.8380437, "counts": {"new": 6, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 1, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "failed": 0, "collision": 0}, "rows": [{"class": "new", "items": 6, "to_buy": 6, "credits": 6.0, "why": "bags/0.png: not seen before; \u2026"}, {"class": "duplicate", "items": 1, "to_buy": 0, "credits": 0.0, "why": "shoes/copy.png: the same picture as shoes/0.png"}], "work": 7, "purchases": 6, "credits": "6"}');
INSERT INTO public.run_log VALUES (4, 'process', 1, NULL, 'command 2026-11-27T20:38:05+00:00 25144', 'sync', 1795811889.8706298, 1795811892.43988, '{"run_id": "command 2026-11-27T20:38:05+00:00 25144", "job": "sync", "collections": null, "started_at": 1795811889.8706298, "ended_at": 1795811892.43988, "asked_by": "sync", "everything": true, "summary": {"published": 6, "purchases": 5, "credits": "5", "saved": "1", "in_doubt": 0, "credits_in_doubt": "0", "wasted": 0, "awaited": 0, "bought_from": {"bgeraser": 5}, "duplicates": 1, "renamed": 0, "failed": 1, "quarantined": 0, "pending": 0, "paused": "", "budget_reached": false, "window_ended": false, "left_before": null, "busy": "", "seconds": 2.569218397140503, "by_reason": {"new": 5, "duplicate": 1}, "failures": [{"key": "bags/broken.png", "state": "failed", "detail": "cannot be read as a picture: image file is truncated", "cause": "picture"}], "not_looked": [], "hosts_down": [], "standing": 0}}');
INSERT INTO public.run_log VALUES (5, 'scan', 1, NULL, 'command 2026-11-27T20:38:22+00:00 26340', 'sync', 1795811904.746607, 1795811904.8518276, '{"run_id": "command 2026-11-27T20:38:22+00:00 26340", "job": "sync", "collections": null, "started_at": 1795811904.746607, "ended_at": 1795811904.8518276, "complete": true, "listed": 9, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO public.run_log VALUES (6, 'detect', 1, NULL, 'command 2026-11-27T20:38:22+00:00 26340', 'sync', 1795811905.067456, 1795811905.4224026, '{"run_id": "command 2026-11-27T20:38:22+00:00 26340", "job": "sync", "collections": null, "started_at": 1795811905.067456, "ended_at": 1795811905.4224026, "counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 6, "skipped": 0, "failed": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "belts/0.png: not seen before; \u2026"}, {"class": "failed", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": "2"}');


--
-- Name: attempts_id_seq1; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.attempts_id_seq1', 7, true);


--
-- Name: catalogues_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.catalogues_id_seq', 1, true);


--
-- Name: claims_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.claims_id_seq', 2, true);


--
-- Name: decisions_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.decisions_id_seq', 1, false);


--
-- Name: manifest_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.manifest_id_seq', 1, false);


--
-- Name: outbox_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.outbox_id_seq', 1, false);


--
-- Name: run_log_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.run_log_id_seq', 6, true);


--
-- Name: acceptances acceptances_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.acceptances
    ADD CONSTRAINT acceptances_pkey PRIMARY KEY (catalogue_id, key);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (name);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: attempts attempts_pkey1; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey1 PRIMARY KEY (id);


--
-- Name: catalogues catalogues_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.catalogues
    ADD CONSTRAINT catalogues_name_key UNIQUE (name);


--
-- Name: catalogues catalogues_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.catalogues
    ADD CONSTRAINT catalogues_pkey PRIMARY KEY (id);


--
-- Name: claims claims_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (id);


--
-- Name: decisions decisions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.decisions
    ADD CONSTRAINT decisions_pkey PRIMARY KEY (id);


--
-- Name: gates gates_pkey1; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.gates
    ADD CONSTRAINT gates_pkey1 PRIMARY KEY (account);


--
-- Name: items items_pkey1; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey1 PRIMARY KEY (catalogue_id, key);


--
-- Name: leases leases_pkey1; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey1 PRIMARY KEY (catalogue_id, name);


--
-- Name: limits limits_pkey1; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_pkey1 PRIMARY KEY (account);


--
-- Name: manifest manifest_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.manifest
    ADD CONSTRAINT manifest_pkey PRIMARY KEY (id);


--
-- Name: incidents new_incidents_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.incidents
    ADD CONSTRAINT new_incidents_pkey PRIMARY KEY (catalogue_id, kind, subject);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);


--
-- Name: previous_outputs previous_outputs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.previous_outputs
    ADD CONSTRAINT previous_outputs_pkey PRIMARY KEY (catalogue_id, key, rendition, run);


--
-- Name: pruned pruned_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.pruned
    ADD CONSTRAINT pruned_pkey PRIMARY KEY (purchase_id);


--
-- Name: publications publications_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.publications
    ADD CONSTRAINT publications_pkey PRIMARY KEY (catalogue_id, key, rendition);


--
-- Name: purchases purchases_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.purchases
    ADD CONSTRAINT purchases_pkey PRIMARY KEY (purchase_id);


--
-- Name: reversions reversions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reversions
    ADD CONSTRAINT reversions_pkey PRIMARY KEY (catalogue_id, key, rendition, run);


--
-- Name: run_log run_log_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.run_log
    ADD CONSTRAINT run_log_pkey PRIMARY KEY (id);


--
-- Name: attempts_answered; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_answered ON public.attempts USING btree (purchase_id) WHERE ((state)::text = 'answered'::text);


--
-- Name: attempts_by_purchase; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_purchase ON public.attempts USING btree (purchase_id);


--
-- Name: attempts_by_run; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_run ON public.attempts USING btree (run);


--
-- Name: attempts_by_start; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX attempts_by_start ON public.attempts USING btree (started_at);


--
-- Name: attempts_open_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX attempts_open_once ON public.attempts USING btree (purchase_id) WHERE ((state)::text = 'intent'::text);


--
-- Name: decisions_by_key; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX decisions_by_key ON public.decisions USING btree (catalogue_id, key, id);


--
-- Name: items_by_absence; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_absence ON public.items USING btree (catalogue_id, key) WHERE absent;


--
-- Name: items_by_claim; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_claim ON public.items USING btree (claim_id) WHERE (claim_id IS NOT NULL);


--
-- Name: items_by_problem; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_problem ON public.items USING btree (catalogue_id, key) WHERE (problem <> ''::text);


--
-- Name: items_by_purchase; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_purchase ON public.items USING btree (catalogue_id, purchase_id) WHERE (((state)::text = 'pending'::text) AND ((purchase_id)::text <> ''::text));


--
-- Name: items_by_state; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_by_state ON public.items USING btree (catalogue_id, state, collection, key);


--
-- Name: items_by_stem; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX items_by_stem ON public.items USING btree (catalogue_id, stem_fold) WHERE (stem_fold IS NOT NULL);


--
-- Name: items_to_buy; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_to_buy ON public.items USING btree (catalogue_id, step, priority, key) WHERE ((state)::text = 'pending'::text);


--
-- Name: items_to_buy_of_collection; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX items_to_buy_of_collection ON public.items USING btree (catalogue_id, collection, step, priority, key) WHERE ((state)::text = 'pending'::text);


--
-- Name: outbox_by_target; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX outbox_by_target ON public.outbox USING btree (target, state, id);


--
-- Name: previous_outputs_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX previous_outputs_by_time ON public.previous_outputs USING btree (catalogue_id, replaced_at);


--
-- Name: publications_by_output; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX publications_by_output ON public.publications USING btree (catalogue_id, output_name);


--
-- Name: publications_by_purchase; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX publications_by_purchase ON public.publications USING btree (catalogue_id, purchase_id);


--
-- Name: purchases_by_content; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX purchases_by_content ON public.purchases USING btree (content_hash);


--
-- Name: purchases_by_payload; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX purchases_by_payload ON public.purchases USING btree (sent_digest, cut_digest);


--
-- Name: purchases_unused; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX purchases_unused ON public.purchases USING btree (content_hash) WHERE (unused_since IS NOT NULL);


--
-- Name: run_log_by_kind; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX run_log_by_kind ON public.run_log USING btree (kind, id);


--
-- PostgreSQL database dump complete
--

\unrestrict js2oMBpLg04pnZP2tqtqf9401hmJbC0IyIlloCSqVcTj6J3fCbccE3bJeUCTYlC

