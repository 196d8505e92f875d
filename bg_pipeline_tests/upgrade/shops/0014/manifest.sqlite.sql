BEGIN TRANSACTION;
CREATE TABLE acceptances (
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	revision BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	accepted_at FLOAT NOT NULL, 
	PRIMARY KEY (catalogue_id, "key")
)
 WITHOUT ROWID

;
CREATE TABLE accounts (
	name VARCHAR(100) NOT NULL, 
	vendor VARCHAR(40) NOT NULL, key_digest VARCHAR(100) DEFAULT '' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "accounts" VALUES('bgeraser','bgeraser','1b0d73b6ddaf0466:ac58f2f2fb304d4bfceb03cbedef0d53c6a35e18905d3f4be693d7c5b26198d5');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0014');
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	account VARCHAR(100) NOT NULL, 
	catalogue_id INTEGER NOT NULL, 
	item_key BLOB, 
	collection BLOB NOT NULL, 
	claim_id BIGINT, 
	run VARCHAR(200) DEFAULT '' NOT NULL, 
	purchase_id VARCHAR(64) NOT NULL, 
	sent_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	cut_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	credits_expected BIGINT NOT NULL, 
	credits_charged BIGINT DEFAULT '0' NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	detail TEXT DEFAULT '' NOT NULL, 
	answer TEXT DEFAULT '' NOT NULL, 
	request_id VARCHAR(200) DEFAULT '' NOT NULL, kind VARCHAR(20) DEFAULT '' NOT NULL, waived BOOLEAN DEFAULT false NOT NULL, use VARCHAR(20), 
	PRIMARY KEY (id)
);
INSERT INTO "attempts" VALUES(1,'bgeraser',1,X'626167732F302E706E67',X'62616773',1,'command 2026-11-27T20:34:08+00:00 30665','87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118','aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','charged',1000,1000,1.79581165218771815301e+09,1.79581165344829130165e+09,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(2,'bgeraser',1,X'626167732F312E706E67',X'62616773',1,'command 2026-11-27T20:34:08+00:00 30665','8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c','98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','charged',1000,1000,1.7958116521825108528e+09,1.79581165345099925999e+09,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(3,'bgeraser',1,X'73686F65732F302E706E67',X'73686F6573',1,'command 2026-11-27T20:34:08+00:00 30665','57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe','9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','charged',1000,1000,1.79581165239394736294e+09,1.79581165338818812371e+09,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(4,'bgeraser',1,X'73686F65732F6E65772E706E67',X'73686F6573',2,'2026-11-27T20:35:20.280Z','b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54','6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','charged',1000,1000,1.79581176266761898992e+09,1795811762.98644,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(5,'bgeraser',1,X'686174732F302E706E67',X'68617473',2,'2026-11-27T20:35:20.280Z','5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160','09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','charged',1000,1000,1.7958117626889541149e+09,1.79581176304102063182e+09,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(6,'bgeraser',1,X'62656C74732F312E706E67',X'62656C7473',3,'command 2026-11-27T20:37:47+00:00 23933','3537ead49490fb42250eff24998737b6f00110686e22036cbd28c4c7fc4b23c2','809e1258f476ce27c62f38ad2121229fce0c73db05c1fdd14a38e8a38f1b70f0','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','intent',1000,0,1.79581187022129964829e+09,NULL,'','','','',0,'alpha');
INSERT INTO "attempts" VALUES(7,'bgeraser',1,X'62656C74732F302E706E67',X'62656C7473',3,'command 2026-11-27T20:37:47+00:00 23933','2256f00931da01e42ca4d417a106cdfcfe431aa04a39bf801d4b0965fc8f2843','ddca84cbc60754e32b040260fbbcd521d472e309c4f864c4b7ec32591d1e7c26','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','intent',1000,0,1.79581187025869035717e+09,NULL,'','','','',0,'alpha');
CREATE TABLE catalogues (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	delta BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "catalogues" VALUES(1,'default',5);
CREATE TABLE claims (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	catalogue_id INTEGER NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	asked_by VARCHAR(20) NOT NULL, 
	run VARCHAR(200) NOT NULL, 
	cap BIGINT, 
	started_at FLOAT NOT NULL, 
	ends_at FLOAT NOT NULL
);
INSERT INTO "claims" VALUES(3,1,'root@vm, process 23933','sync','command 2026-11-27T20:37:47+00:00 23933',NULL,1.79581186976154780383e+09,1.7958118897615478038e+09);
CREATE TABLE decisions (
	id INTEGER NOT NULL, 
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	decision VARCHAR(20) NOT NULL, 
	decided_at FLOAT NOT NULL, 
	decided_by TEXT NOT NULL, 
	reason TEXT DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	result_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE gates (
	account VARCHAR(100) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	reason VARCHAR(40) NOT NULL, 
	since FLOAT NOT NULL, 
	pause INTEGER NOT NULL, 
	balance BIGINT, 
	balance_at FLOAT DEFAULT '0' NOT NULL, 
	until FLOAT DEFAULT '0' NOT NULL, 
	trips INTEGER DEFAULT '0' NOT NULL, 
	why TEXT DEFAULT '' NOT NULL, 
	forced_open BOOLEAN DEFAULT false NOT NULL, reading BIGINT, expected BIGINT, cleared_at FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "gates" VALUES('bgeraser','open','',0.0,0,995000,1.79581186973821163178e+09,0.0,0,'',0,1000000,995000,0.0);
CREATE TABLE "incidents" (
	catalogue_id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	subject BLOB NOT NULL, 
	title TEXT NOT NULL, 
	began_at FLOAT NOT NULL, 
	seen_at FLOAT NOT NULL, 
	notified_at FLOAT NOT NULL, 
	PRIMARY KEY (catalogue_id, kind, subject)
);
CREATE TABLE items (
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	collection BLOB NOT NULL, 
	fingerprint TEXT DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	size_bytes BIGINT DEFAULT '0' NOT NULL, 
	media_type VARCHAR(40) DEFAULT '' NOT NULL, 
	absent BOOLEAN DEFAULT false NOT NULL, 
	absent_since FLOAT, 
	state VARCHAR(20) NOT NULL, 
	reason VARCHAR(20) DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	purchase_id VARCHAR(64) DEFAULT '' NOT NULL, 
	changed_at FLOAT NOT NULL, 
	delta BIGINT DEFAULT '0' NOT NULL, 
	revision BIGINT DEFAULT '0' NOT NULL, 
	claim_id BIGINT, 
	stem BLOB, 
	stem_fold BLOB, step INTEGER DEFAULT '0' NOT NULL, priority FLOAT DEFAULT '1e300' NOT NULL, problem TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (catalogue_id, "key")
)
 WITHOUT ROWID

;
INSERT INTO "items" VALUES(1,X'626167732F302E706E67',X'62616773','160:1795808041833824396:1795811641833794514:1771340','e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df',160,'image/png',0,NULL,'published','new','not seen before','87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118',1.79581165365496850014e+09,1,2,NULL,X'626167732F30',X'626167732F30',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'626167732F312E706E67',X'62616773','166:1795808041834208726:1795811641834193837:1771341','491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33',166,'image/png',0,NULL,'published','new','not seen before','8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c',1.79581165362712788578e+09,1,2,NULL,X'626167732F31',X'626167732F31',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'626167732F62726F6B656E2E706E67',X'62616773','60:1795808041834867954:1795811641834856610:1771345','cb66ceaa533b7294d4f70d3b2fd8f8bcf0d0ea9db40baa6dd65340bce0b0143b',60,'image/png',0,NULL,'failed','new','cannot be read as a picture: image file is truncated','31d9bc0218dd09e4f460cd98e22d1b5d9cc1f391d3e32a85c9a44e29d6472237',1.79581165218134236336e+09,1,2,NULL,X'626167732F62726F6B656E',X'626167732F62726F6B656E',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'62656C74732F302E706E67',X'62656C7473','165:1795808259504217624:1795811859504198919:1771857','2a944e86c278552e5bde97046350ab8ce776b45bdc58e449fe30dd98cd688366',165,'image/png',0,NULL,'pending','new','not seen before','2256f00931da01e42ca4d417a106cdfcfe431aa04a39bf801d4b0965fc8f2843',1.79581186954578328135e+09,5,1,3,X'62656C74732F30',X'62656C74732F30',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'62656C74732F312E706E67',X'62656C7473','165:1795808259504451274:1795811859504439886:1771874','cf69a93907a53368324bf9f596511eac42d98c5b0d09aaf6113c2f71f23c56ad',165,'image/png',0,NULL,'pending','new','not seen before','3537ead49490fb42250eff24998737b6f00110686e22036cbd28c4c7fc4b23c2',1.79581186954578328135e+09,5,1,3,X'62656C74732F31',X'62656C74732F31',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'686174732F302E706E67',X'68617473','165:1795808055122358560:1795811655122346351:1771693','a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e',165,'image/png',0,NULL,'published','new','not seen before','5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160',1.79581176320989084247e+09,2,2,NULL,X'686174732F30',X'686174732F30',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'73686F65732F302E706E67',X'73686F6573','165:1795808041834544181:1795811641834528694:1771343','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',165,'image/png',0,NULL,'published','new','not seen before','57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe',1.79581165357152843474e+09,1,2,NULL,X'73686F65732F30',X'73686F65732F30',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'73686F65732F636F70792E706E67',X'73686F6573','165:1795808041834647655:1795811641834636945:1771344','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',165,'image/png',0,NULL,'published','duplicate','the same picture as shoes/0.png','57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe',1.79581165367169308657e+09,1,2,NULL,X'73686F65732F636F7079',X'73686F65732F636F7079',0,1.0e+300,'');
INSERT INTO "items" VALUES(1,X'73686F65732F6E65772E706E67',X'73686F6573','165:1795808055122146368:1795811655122122750:1771691','5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b',165,'image/png',0,NULL,'published','new','not seen before','b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54',1.79581176314836645129e+09,2,2,NULL,X'73686F65732F6E6577',X'73686F65732F6E6577',0,1.0e+300,'');
CREATE TABLE leases (
	catalogue_id INTEGER NOT NULL, 
	name BLOB NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	token BIGINT NOT NULL, 
	ends_at FLOAT NOT NULL, 
	PRIMARY KEY (catalogue_id, name)
);
INSERT INTO "leases" VALUES(1,X'646574656374696F6E','root@vm, process 23933',15,0.0);
INSERT INTO "leases" VALUES(1,X'72756E2030303439396434342D633561332D346634342D383038642D396532653030623463373538','Dagster run 00499d44 since 2026-11-27 20:35 UTC',2,0.0);
INSERT INTO "leases" VALUES(1,X'72756E2065313463333662642D623462322D346438632D386263652D666665306337303332376337','Dagster run e14c36bd since 2026-11-27 20:36 UTC',1,0.0);
INSERT INTO "leases" VALUES(1,X'72756E2065343435343464642D633330632D343934332D616230652D643832666230363035383462','Dagster run e44544dd since 2026-11-27 20:36 UTC',2,0.0);
INSERT INTO "leases" VALUES(1,X'72756E2032303834323030622D313265352D343162362D383139662D353066393737343230316166','Dagster run 2084200b since 2026-11-27 20:37 UTC',2,0.0);
CREATE TABLE limits (
	account VARCHAR(100) NOT NULL, 
	state JSON NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "limits" VALUES('bgeraser','{"slots": {"3:8275d337-0": {"since": 1795811870.1486986, "units": 1.0, "rank": 1, "window_units": 1.0}, "3:478e3ce1-1": {"since": 1795811870.1622846, "units": 1.0, "rank": 2, "window_units": 2.0}}, "width": 5, "base": 1, "throughput": 0.0, "reached": 3, "step": 5, "patience": 5, "probe_after": 5, "streak": 0, "streak_s": 0.0, "failures": 0, "alert": 0, "blame_width": false, "sent": [[7183247480, 2.0]], "pace": "free", "units": 3.0, "told": false, "answers": 0, "look_after": 150, "next_at": 1795811870.1622846, "waits_since": 1795811870.1622846}');
CREATE TABLE manifest (
	id INTEGER NOT NULL, 
	identity VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "manifest" VALUES(1,'5d3b003552bcb066721befc7f0a58956');
CREATE TABLE outbox (
	id INTEGER NOT NULL, 
	target VARCHAR(16) NOT NULL, 
	event VARCHAR(10) NOT NULL, 
	title TEXT NOT NULL, 
	body TEXT NOT NULL, 
	made_at FLOAT NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	due_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	detail TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE previous_outputs (
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	rendition VARCHAR(60) NOT NULL, 
	run VARCHAR(200) NOT NULL, 
	purchase_id VARCHAR(64) DEFAULT '' NOT NULL, 
	cut_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	rendition_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	output_name BLOB, 
	output_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	published_at FLOAT, 
	published_by VARCHAR(200) DEFAULT '' NOT NULL, 
	kept_name BLOB, 
	kept_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	replaced_at FLOAT NOT NULL, 
	PRIMARY KEY (catalogue_id, "key", rendition, run)
);
CREATE TABLE pruned (
	purchase_id VARCHAR(64) NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	pruned_at FLOAT NOT NULL, 
	removed BOOLEAN DEFAULT false NOT NULL, 
	PRIMARY KEY (purchase_id)
);
CREATE TABLE publications (
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	rendition VARCHAR(60) NOT NULL, 
	purchase_id VARCHAR(64) DEFAULT '' NOT NULL, 
	cut_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	rendition_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	output_name BLOB, 
	output_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	published_at FLOAT, 
	trash_name BLOB, 
	trashed_at FLOAT, run VARCHAR(200) DEFAULT '' NOT NULL, 
	PRIMARY KEY (catalogue_id, "key", rendition)
)
 WITHOUT ROWID

;
INSERT INTO "publications" VALUES(1,X'626167732F302E706E67','main','87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df',X'626167732F302E706E67','a733bcbc162cad8eac644a5bfb4e586d50b371fd92925cae1d488f2d65ace5b2',1.79581165362750482558e+09,NULL,NULL,'command 2026-11-27T20:34:08+00:00 30665');
INSERT INTO "publications" VALUES(1,X'626167732F312E706E67','main','8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33',X'626167732F312E706E67','1100fc5645b28af546291f05ad94b4977e4fba872bd26706bfcdb1a73cd8858f',1.79581165362620282172e+09,NULL,NULL,'command 2026-11-27T20:34:08+00:00 30665');
INSERT INTO "publications" VALUES(1,X'686174732F302E706E67','main','5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e',X'686174732F302E706E67','4ee194c33c4c8fd84cacfed8fc1bc35531f059e03fb50cd4814cd7c69e4562ce',1.79581176320926356312e+09,NULL,NULL,'e14c36bd-b4b2-4d8c-8bce-ffe0c70327c7');
INSERT INTO "publications" VALUES(1,X'73686F65732F302E706E67','main','57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',X'73686F65732F302E706E67','9a58301b91e25f80f0fe0beb035cc5cfafaa7c9a6db16260a3ff25640ef722f9',1.79581165357086324687e+09,NULL,NULL,'command 2026-11-27T20:34:08+00:00 30665');
INSERT INTO "publications" VALUES(1,X'73686F65732F636F70792E706E67','main','57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',X'73686F65732F636F70792E706E67','9a58301b91e25f80f0fe0beb035cc5cfafaa7c9a6db16260a3ff25640ef722f9',1.79581165363310837749e+09,NULL,NULL,'command 2026-11-27T20:34:08+00:00 30665');
INSERT INTO "publications" VALUES(1,X'73686F65732F6E65772E706E67','main','b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','7d2cd7a7dddd77d0e343c43b4f73c69bada7d4568bf0b3bf203093c8b3de4436','5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b',X'73686F65732F6E65772E706E67','4b56e9b141c856f0c2ea10906ccf1bc2ce737fe66c209dd8ca4bc93bcf86ccbe',1.79581176314768838878e+09,NULL,NULL,'e14c36bd-b4b2-4d8c-8bce-ffe0c70327c7');
CREATE TABLE purchases (
	purchase_id VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	width_px INTEGER NOT NULL, 
	height_px INTEGER NOT NULL, 
	suspicion TEXT DEFAULT '' NOT NULL, 
	stored_at FLOAT NOT NULL, 
	sent_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	cut_digest VARCHAR(64) DEFAULT '' NOT NULL, content_hash VARCHAR(64) DEFAULT '' NOT NULL, unused_since FLOAT, use VARCHAR(20), 
	PRIMARY KEY (purchase_id)
);
INSERT INTO "purchases" VALUES('57b2adc91f6c7342a71fb8e69182053426f8c6e6db7ae422ded52ac45a3a4afe','51738ca6c42ec70fc890dd63fdd341c3e935e10e50442833b92034642afc1869',48,48,'',1.79581165338739323611e+09,'9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',NULL,'alpha');
INSERT INTO "purchases" VALUES('87d8e7a47b742ab81a241967b69585b6a12b8d65cb87e0c63ae0575a9c550118','00904b0fb0efb6ea79d619eca03d9ff56e71ff569057ff961bac38cd581377d3',48,48,'',1.79581165344802308079e+09,'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df',NULL,'alpha');
INSERT INTO "purchases" VALUES('8d5dae2140f98844539f1eac9708cb012b0a9f69ddf64be117be7b67b890796c','3536b644e11a650a35158435fc6103b9b885c146d1692ed85ab2e772044ec7a8',48,48,'',1.79581165345072937006e+09,'98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33',NULL,'alpha');
INSERT INTO "purchases" VALUES('b65b7062fe40a1a05bed453d75d1ad5a11351956566e1475109a1f1a228d2b54','7ec50d46e7678ccaec1dadd7abc098376b34736e949b4d14634775ba86178719',48,48,'',1.79581176297282910344e+09,'6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b',NULL,'alpha');
INSERT INTO "purchases" VALUES('5b383dd2f9b2fff16ec5acf0ba63876962b3dbaff99bf0d637f7ca66e2d55160','2726286ccfbfc5901dfd47f2b5321cefc16c945efa2675ebee6dd9e69337d27d',48,48,'',1.79581176304070162775e+09,'09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86','da7a77f10e518c2d6fa68301ad7465eaf153bc5997928a7c2b6fab656bab65c4','a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e',NULL,'alpha');
CREATE TABLE reversions (
	catalogue_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	rendition VARCHAR(60) NOT NULL, 
	run VARCHAR(200) NOT NULL, 
	cut_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	rendition_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	reverted_by TEXT NOT NULL, 
	reverted_at FLOAT NOT NULL, 
	PRIMARY KEY (catalogue_id, "key", rendition, run)
);
CREATE TABLE run_log (
	id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	catalogue_id INTEGER, 
	account VARCHAR(100), 
	run_id VARCHAR(200) DEFAULT '' NOT NULL, 
	job VARCHAR(100) DEFAULT '' NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT NOT NULL, 
	record JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "run_log" VALUES(1,'balance',NULL,'bgeraser','command 2026-11-27T20:34:08+00:00 30665','sync',1.79581165084444594384e+09,1.79581165107158350941e+09,'{"run_id": "command 2026-11-27T20:34:08+00:00 30665", "job": "sync", "collections": null, "started_at": 1795811650.844446, "ended_at": 1795811651.0715835, "account": "bgeraser", "balance": "1000", "drift": null, "sound": true, "because": ""}');
INSERT INTO "run_log" VALUES(2,'scan',1,NULL,'command 2026-11-27T20:34:08+00:00 30665','sync',1.79581165122526764874e+09,1.79581165125934100147e+09,'{"run_id": "command 2026-11-27T20:34:08+00:00 30665", "job": "sync", "collections": null, "started_at": 1795811651.2252676, "ended_at": 1795811651.259341, "complete": true, "listed": 5, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO "run_log" VALUES(3,'detect',1,NULL,'command 2026-11-27T20:34:08+00:00 30665','sync',1.7958116513787927628e+09,1.79581165163275909427e+09,'{"run_id": "command 2026-11-27T20:34:08+00:00 30665", "job": "sync", "collections": null, "started_at": 1795811651.3787928, "ended_at": 1795811651.632759, "counts": {"new": 4, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 1, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "failed": 0, "collision": 0}, "rows": [{"class": "new", "items": 4, "to_buy": 4, "credits": 4.0, "why": "bags/0.png: not seen before; \u2026"}, {"class": "duplicate", "items": 1, "to_buy": 0, "credits": 0.0, "why": "shoes/copy.png: the same picture as shoes/0.png"}], "work": 5, "purchases": 4, "credits": "4"}');
INSERT INTO "run_log" VALUES(4,'process',1,NULL,'command 2026-11-27T20:34:08+00:00 30665','sync',1.79581165164027118687e+09,1.79581165371746897694e+09,'{"run_id": "command 2026-11-27T20:34:08+00:00 30665", "job": "sync", "collections": null, "started_at": 1795811651.6402712, "ended_at": 1795811653.717469, "asked_by": "sync", "everything": true, "summary": {"published": 4, "purchases": 3, "credits": "3", "saved": "1", "in_doubt": 0, "credits_in_doubt": "0", "wasted": 0, "awaited": 0, "bought_from": {"bgeraser": 3}, "duplicates": 1, "renamed": 0, "failed": 1, "quarantined": 0, "pending": 0, "paused": "", "budget_reached": false, "window_ended": false, "left_before": null, "busy": "", "seconds": 2.0771687030792236, "by_reason": {"new": 3, "duplicate": 1}, "failures": [{"key": "bags/broken.png", "state": "failed", "detail": "cannot be read as a picture: image file is truncated", "cause": "picture"}], "not_looked": [], "hosts_down": [], "standing": 0}}');
INSERT INTO "run_log" VALUES(5,'scan',1,NULL,'00499d44-c5a3-4f44-808d-9e2e00b4c758','detect_delta',1.79581171949957680697e+09,1.79581171951866436003e+09,'{"run_id": "00499d44-c5a3-4f44-808d-9e2e00b4c758", "job": "detect_delta", "collections": null, "started_at": 1795811719.4995768, "ended_at": 1795811719.5186644, "complete": true, "listed": 7, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO "run_log" VALUES(6,'detect',1,NULL,'00499d44-c5a3-4f44-808d-9e2e00b4c758','detect_delta',1.79581172007587146766e+09,1.79581172028046417241e+09,'{"run_id": "00499d44-c5a3-4f44-808d-9e2e00b4c758", "job": "detect_delta", "collections": null, "started_at": 1795811720.0758715, "ended_at": 1795811720.2804642, "counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 4, "skipped": 0, "failed": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "hats/0.png: not seen before; \u2026"}, {"class": "failed", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": "2"}');
INSERT INTO "run_log" VALUES(7,'process',1,NULL,'e14c36bd-b4b2-4d8c-8bce-ffe0c70327c7','process_pending',1.7958117607108211517e+09,1.79581176339946675299e+09,'{"run_id": "e14c36bd-b4b2-4d8c-8bce-ffe0c70327c7", "job": "process_pending", "collections": null, "started_at": 1795811760.7108212, "ended_at": 1795811763.3994668, "asked_by": "night", "everything": true, "summary": {"published": 2, "purchases": 2, "credits": "2", "saved": "0", "in_doubt": 0, "credits_in_doubt": "0", "wasted": 0, "awaited": 0, "bought_from": {"bgeraser": 2}, "duplicates": 0, "renamed": 0, "failed": 0, "quarantined": 0, "pending": 0, "paused": "", "budget_reached": false, "window_ended": false, "left_before": null, "busy": "", "seconds": 2.688615560531616, "by_reason": {"new": 2}, "failures": [], "not_looked": [], "hosts_down": [], "standing": 0}}');
INSERT INTO "run_log" VALUES(8,'scan',1,NULL,'e44544dd-c30c-4943-ab0e-d82fb060584b','detect_delta',1.79581181052519798279e+09,1.79581181057841491699e+09,'{"run_id": "e44544dd-c30c-4943-ab0e-d82fb060584b", "job": "detect_delta", "collections": null, "started_at": 1795811810.525198, "ended_at": 1795811810.578415, "complete": true, "listed": 7, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO "run_log" VALUES(9,'detect',1,NULL,'e44544dd-c30c-4943-ab0e-d82fb060584b','detect_delta',1.79581181245168519013e+09,1.79581181302158069605e+09,'{"run_id": "e44544dd-c30c-4943-ab0e-d82fb060584b", "job": "detect_delta", "collections": null, "started_at": 1795811812.4516852, "ended_at": 1795811813.0215807, "counts": {"new": 0, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 6, "skipped": 0, "failed": 1, "collision": 0}, "rows": [{"class": "failed", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 0, "purchases": 0, "credits": "0"}');
INSERT INTO "run_log" VALUES(10,'scan',1,NULL,'2084200b-12e5-41b6-819f-50f9774201af','detect_delta',1.79581184490035390853e+09,1.79581184490341973303e+09,'{"run_id": "2084200b-12e5-41b6-819f-50f9774201af", "job": "detect_delta", "collections": null, "started_at": 1795811844.900354, "ended_at": 1795811844.9034197, "complete": true, "listed": 7, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO "run_log" VALUES(11,'detect',1,NULL,'2084200b-12e5-41b6-819f-50f9774201af','detect_delta',1.79581184564744734759e+09,1.79581184575219106672e+09,'{"run_id": "2084200b-12e5-41b6-819f-50f9774201af", "job": "detect_delta", "collections": null, "started_at": 1795811845.6474473, "ended_at": 1795811845.752191, "counts": {"new": 0, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 6, "skipped": 0, "failed": 1, "collision": 0}, "rows": [{"class": "failed", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 0, "purchases": 0, "credits": "0"}');
INSERT INTO "run_log" VALUES(12,'scan',1,NULL,'command 2026-11-27T20:37:47+00:00 23933','sync',1.79581186919392871851e+09,1.79581186928950834271e+09,'{"run_id": "command 2026-11-27T20:37:47+00:00 23933", "job": "sync", "collections": null, "started_at": 1795811869.1939287, "ended_at": 1795811869.2895083, "complete": true, "listed": 9, "sentinel_seen": false, "not_looked": [], "more_not_looked": 0, "left_out": {}, "hosts_down": []}');
INSERT INTO "run_log" VALUES(13,'detect',1,NULL,'command 2026-11-27T20:37:47+00:00 23933','sync',1.79581186942488646505e+09,1.79581186962203693388e+09,'{"run_id": "command 2026-11-27T20:37:47+00:00 23933", "job": "sync", "collections": null, "started_at": 1795811869.4248865, "ended_at": 1795811869.622037, "counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "returned": 0, "deleted": 0, "unchanged": 6, "skipped": 0, "failed": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "belts/0.png: not seen before; \u2026"}, {"class": "failed", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": "2"}');
ANALYZE "sqlite_master";
INSERT INTO "sqlite_stat1" VALUES('catalogues','sqlite_autoindex_catalogues_1','1 1');
INSERT INTO "sqlite_stat1" VALUES('items','items','1000000 1000000 1');
INSERT INTO "sqlite_stat1" VALUES('items','items_by_state','1000000 1000000 100000 300 1');
INSERT INTO "sqlite_stat1" VALUES('items','items_by_stem','1000000 1000000 1');
INSERT INTO "sqlite_stat1" VALUES('items','items_by_absence','10000 10000 1');
INSERT INTO "sqlite_stat1" VALUES('items','items_by_purchase','100000 100000 1');
INSERT INTO "sqlite_stat1" VALUES('items','items_by_claim','1000 20');
INSERT INTO "sqlite_stat1" VALUES('publications','publications','1000000 1000000 1 1');
INSERT INTO "sqlite_stat1" VALUES('publications','publications_by_purchase','1000000 1000000 1');
INSERT INTO "sqlite_stat1" VALUES('publications','publications_by_output','1000000 1000000 1');
CREATE INDEX outbox_by_target ON outbox (target, state, id);
CREATE UNIQUE INDEX items_by_stem ON items (catalogue_id, stem_fold) WHERE stem_fold IS NOT NULL;
CREATE INDEX items_by_state ON items (catalogue_id, state, collection, "key");
CREATE INDEX items_by_absence ON items (catalogue_id, "key") WHERE absent;
CREATE INDEX items_by_purchase ON items (catalogue_id, purchase_id) WHERE state = 'pending' AND purchase_id <> '';
CREATE INDEX items_by_claim ON items (claim_id) WHERE claim_id IS NOT NULL;
CREATE INDEX publications_by_purchase ON publications (catalogue_id, purchase_id);
CREATE INDEX publications_by_output ON publications (catalogue_id, output_name);
CREATE INDEX purchases_by_payload ON purchases (sent_digest, cut_digest);
CREATE INDEX attempts_by_purchase ON attempts (purchase_id);
CREATE INDEX attempts_by_start ON attempts (started_at);
CREATE INDEX attempts_by_run ON attempts (run);
CREATE UNIQUE INDEX attempts_open_once ON attempts (purchase_id) WHERE state = 'intent';
CREATE INDEX run_log_by_kind ON run_log (kind, id);
CREATE INDEX attempts_answered ON attempts (purchase_id) WHERE state = 'answered';
CREATE INDEX items_to_buy ON items (catalogue_id, step, priority, "key") WHERE state = 'pending';
CREATE INDEX items_to_buy_of_collection ON items (catalogue_id, collection, step, priority, "key") WHERE state = 'pending';
CREATE INDEX purchases_by_content ON purchases (content_hash);
CREATE INDEX purchases_unused ON purchases (content_hash) WHERE unused_since IS NOT NULL;
CREATE INDEX items_by_problem ON items (catalogue_id, "key") WHERE problem <> '';
CREATE INDEX decisions_by_key ON decisions (catalogue_id, "key", id);
CREATE INDEX previous_outputs_by_time ON previous_outputs (catalogue_id, replaced_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('claims',3);
COMMIT;
