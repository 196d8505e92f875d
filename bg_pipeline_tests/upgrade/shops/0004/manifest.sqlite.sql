BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	work_id VARCHAR(64) NOT NULL, 
	provider VARCHAR(40) NOT NULL, 
	collection BLOB NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	credits_expected BIGINT NOT NULL, 
	credits_charged BIGINT DEFAULT '0' NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	detail TEXT DEFAULT '' NOT NULL, answer TEXT DEFAULT '' NOT NULL, request_id VARCHAR(200) DEFAULT '' NOT NULL, item_key BLOB, run VARCHAR(200) DEFAULT '' NOT NULL, sent_digest VARCHAR(64) DEFAULT '' NOT NULL, cut_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "attempts" VALUES(1,'7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175','bgeraser',X'636F6C6C656374696F6E2062616773','charged',1000,1000,1.79581157786353445057e+09,1.79581158035352134701e+09,'','','',X'626167732F312E706E67','command 2026-11-27T20:32:48+00:00 15527','98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(2,'dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1','bgeraser',X'636F6C6C656374696F6E2062616773','charged',1000,1000,1.79581157780395317077e+09,1.79581158033190441134e+09,'','','',X'626167732F302E706E67','command 2026-11-27T20:32:48+00:00 15527','aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(3,'824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5','bgeraser',X'636F6C6C656374696F6E2073686F6573','charged',1000,1000,1.79581158060738921167e+09,1.7958115807780861855e+09,'','','',X'73686F65732F302E706E67','command 2026-11-27T20:32:48+00:00 15527','9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(4,'17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18','bgeraser',X'636F6C6C656374696F6E2068617473','charged',1000,1000,1.79581167959617018703e+09,1.79581167968680858616e+09,'','','',X'686174732F302E706E67','1795811654.689','09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(5,'b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c','bgeraser',X'636F6C6C656374696F6E2073686F6573','charged',1000,1000,1.79581167959061932561e+09,1.79581167968107652667e+09,'','','',X'73686F65732F6E65772E706E67','1795811654.689','6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(6,'e593ffb99836f0622f68a1c6fecd7cd1cfe91329f5d350d87311d4667d91dc36','bgeraser',X'636F6C6C656374696F6E2062656C7473','intent',1000,0,1.79581173340673351285e+09,NULL,'','','',X'62656C74732F302E706E67','command 2026-11-27T20:35:26+00:00 8316','ddca84cbc60754e32b040260fbbcd521d472e309c4f864c4b7ec32591d1e7c26','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "attempts" VALUES(7,'9d05c21e4971065c90f2c7a534753e7269dec6bb11328ab5a484ee2e33ce43f3','bgeraser',X'636F6C6C656374696F6E2062656C7473','intent',1000,0,1.79581173359580755239e+09,NULL,'','','',X'62656C74732F312E706E67','command 2026-11-27T20:35:26+00:00 8316','809e1258f476ce27c62f38ad2121229fce0c73db05c1fdd14a38e8a38f1b70f0','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
CREATE TABLE episodes (
	kind VARCHAR(20) NOT NULL, 
	subject BLOB NOT NULL, 
	title TEXT NOT NULL, 
	began_at FLOAT NOT NULL, 
	seen_at FLOAT NOT NULL, 
	told_at FLOAT NOT NULL, 
	PRIMARY KEY (kind, subject)
);
CREATE TABLE gates (
	provider VARCHAR(40) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	reason VARCHAR(40) NOT NULL, 
	since FLOAT NOT NULL, 
	episode INTEGER NOT NULL, 
	balance BIGINT, balance_at FLOAT DEFAULT '0' NOT NULL, until FLOAT DEFAULT '0' NOT NULL, trips INTEGER DEFAULT '0' NOT NULL, why TEXT DEFAULT '' NOT NULL, held_open BOOLEAN DEFAULT false NOT NULL, 
	PRIMARY KEY (provider)
);
INSERT INTO "gates" VALUES('bgeraser','open','',0.0,0,1000000,1795811727.00614,0.0,0,'',0);
CREATE TABLE items (
	"key" BLOB NOT NULL, 
	collection BLOB NOT NULL, 
	evidence TEXT DEFAULT '' NOT NULL, 
	content_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	size_bytes BIGINT DEFAULT '0' NOT NULL, 
	media_type VARCHAR(40) DEFAULT '' NOT NULL, 
	absent BOOLEAN DEFAULT false NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	reason VARCHAR(20) DEFAULT '' NOT NULL, 
	detail TEXT DEFAULT '' NOT NULL, 
	work_id VARCHAR(64) DEFAULT '' NOT NULL, 
	changed_at FLOAT NOT NULL, 
	stem BLOB, 
	stem_fold BLOB, 
	published_work_id VARCHAR(64) DEFAULT '' NOT NULL, 
	published_cut_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	published_rendition_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	output_name BLOB, 
	output_digest VARCHAR(64) DEFAULT '' NOT NULL, 
	published_at FLOAT, published_content_hash VARCHAR(64) DEFAULT '' NOT NULL, absent_since FLOAT, trash_name BLOB, trashed_at FLOAT, 
	PRIMARY KEY ("key"), 
	UNIQUE (stem_fold)
)
 WITHOUT ROWID

;
INSERT INTO "items" VALUES(X'626167732F302E706E67',X'62616773','160:1795807941849247455:1795811541849231379:1712769','e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df',160,'image/png',0,'published','new','not seen before','dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1',1.79581158046735453598e+09,X'626167732F30',X'626167732F30','dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'626167732F302E706E67','603bbbb0d351b9854b852bd08b5d101d9f9fff9ce65ddbf4e3a626129a32033c',1.79581158046735405919e+09,'e6fdb8e89dd2d0cf84b0eb512476e45312e298df2f3ad5034c99e269b20ff4df',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'626167732F312E706E67',X'62616773','166:1795807941849572658:1795811541849559295:1712770','491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33',166,'image/png',0,'published','new','not seen before','7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175',1.79581158040243721004e+09,X'626167732F31',X'626167732F31','7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'626167732F312E706E67','042d01a6d4812a3a1e6038e4cf72f0a75b798684cf05e4f1404cbb963da96db1',1.79581158040243625637e+09,'491e799764c0a7584c933db73b5303e15f42862a9abb68020b928316c5bcef33',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'626167732F62726F6B656E2E706E67',X'62616773','60:1795807941849994897:1795811541849984927:1712771','cb66ceaa533b7294d4f70d3b2fd8f8bcf0d0ea9db40baa6dd65340bce0b0143b',60,'image/png',0,'failed','new','cannot be read as a picture: image file is truncated','bce2e171b1e4f5923436813a13b14a30db33d07ce61195583bcb158ca5506203',1.79581157812500524523e+09,X'626167732F62726F6B656E',X'626167732F62726F6B656E','','','',NULL,'',NULL,'',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'62656C74732F302E706E67',X'62656C7473','165:1795808119780154943:1795811719780134734:1771790','2a944e86c278552e5bde97046350ab8ce776b45bdc58e449fe30dd98cd688366',165,'image/png',0,'pending','new','not seen before','e593ffb99836f0622f68a1c6fecd7cd1cfe91329f5d350d87311d4667d91dc36',1.79581172693171834948e+09,X'62656C74732F30',X'62656C74732F30','','','',NULL,'',NULL,'',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'62656C74732F312E706E67',X'62656C7473','165:1795808119780475139:1795811719780462901:1771796','cf69a93907a53368324bf9f596511eac42d98c5b0d09aaf6113c2f71f23c56ad',165,'image/png',0,'pending','new','not seen before','9d05c21e4971065c90f2c7a534753e7269dec6bb11328ab5a484ee2e33ce43f3',1.79581172693171834948e+09,X'62656C74732F31',X'62656C74732F31','','','',NULL,'',NULL,'',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'686174732F302E706E67',X'68617473','165:1795807982538874149:1795811582538862412:1747239','a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e',165,'image/png',0,'published','new','not seen before','17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18',1.7958116797019414902e+09,X'686174732F30',X'686174732F30','17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'686174732F302E706E67','f927c2e2cafdb03586c483169e9059874332bf0a24c10e124fac76a6630e6c0e',1.79581167970194125176e+09,'a8fe528b0554e2761c822f5e31da2725134eb49fae3dd52f78bef9b1f064a45e',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'73686F65732F302E706E67',X'73686F6573','165:1795807941849771738:1795811541849761045:1720379','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',165,'image/png',0,'published','new','not seen before','824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5',1.79581158081175374981e+09,X'73686F65732F30',X'73686F65732F30','824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'73686F65732F302E706E67','ecee650d7dfec672c60fd2cf2631050d7f458d291ec944800fc1a69900035511',1.79581158081175303454e+09,'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'73686F65732F636F70792E706E67',X'73686F6573','165:1795807941849834442:1795811541849825781:1720380','a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',165,'image/png',0,'published','duplicate','the same picture as shoes/0.png','824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5',1.7958115808516156674e+09,X'73686F65732F636F7079',X'73686F65732F636F7079','824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'73686F65732F636F70792E706E67','ecee650d7dfec672c60fd2cf2631050d7f458d291ec944800fc1a69900035511',1.79581158085161495213e+09,'a7417f18fe69b9ad44e3dc8a76e1bcf29370b24f974467935f7ebb547ea3ab12',NULL,NULL,NULL);
INSERT INTO "items" VALUES(X'73686F65732F6E65772E706E67',X'73686F6573','165:1795807982538670063:1795811582538647774:1720983','5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b',165,'image/png',0,'published','new','not seen before','b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c',1.79581167974384379388e+09,X'73686F65732F6E6577',X'73686F65732F6E6577','b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752','cf1fee05f974b01792f37afacadda17b6058b7ba34b2fbbd885095aa359dc6ad',X'73686F65732F6E65772E706E67','eb88d32d4c4ef9c09da756f419c746716fe06a921e4737045d642c0003e521e0',1.795811679743843317e+09,'5b94ce1997ecad5be73caed13e93b30611a63e674c21da6228a12f8b12e5885b',NULL,NULL,NULL);
CREATE TABLE leases (
	name BLOB NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	token BIGINT NOT NULL, 
	ends_at FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES(X'646574656374696F6E','root@vm, process 8316',6,0.0);
INSERT INTO "leases" VALUES(X'636F6C6C656374696F6E2062616773','root@vm, process 15527',1,0.0);
INSERT INTO "leases" VALUES(X'636F6C6C656374696F6E2073686F6573','Dagster run 3c9b8b51 since 2026-11-27 20:34 UTC',2,0.0);
INSERT INTO "leases" VALUES(X'72756E2035666366616564312D353538382D343531642D626464622D623534633533663334363830','Dagster run 5fcfaed1 since 2026-11-27 20:34 UTC',2,0.0);
INSERT INTO "leases" VALUES(X'72756E2033633962386235312D636366342D343339632D613734312D316661623961663833366435','Dagster run 3c9b8b51 since 2026-11-27 20:34 UTC',1,0.0);
INSERT INTO "leases" VALUES(X'636F6C6C656374696F6E2068617473','Dagster run 3c9b8b51 since 2026-11-27 20:34 UTC',1,0.0);
INSERT INTO "leases" VALUES(X'636F6C6C656374696F6E2062656C7473','root@vm, process 8316',1,1.79581184697040939328e+09);
CREATE TABLE limits (
	provider VARCHAR(40) NOT NULL, 
	state JSON NOT NULL, 
	PRIMARY KEY (provider)
);
INSERT INTO "limits" VALUES('bgeraser','{"slots": {"250b3e14-a4f0-4f6d-88cb-e6c889668df9/4026531836:8316:d513a2b6-0": {"since": 1795811733.4057488, "deadline": 1795811863.4057488, "units": 1.0, "rank": 1, "window_units": 3.0}, "250b3e14-a4f0-4f6d-88cb-e6c889668df9/4026531836:8316:a14c6788-1": {"since": 1795811733.5483499, "deadline": 1795811863.5483499, "units": 1.0, "rank": 2, "window_units": 4.0}}, "width": 5, "base": 1, "throughput": 0.0, "reached": 2, "step": 5, "patience": 5, "probe_after": 5, "streak": 0, "streak_s": 0.0, "failures": 0, "alert": 0, "blame_width": false, "sent": [[7183246718, 2.0], [7183246933, 1.0], [7183246934, 1.0]], "pace": "free", "units": 3.0, "told": false, "answers": 0, "look_after": 150, "next_at": 1795811733.5483499}');
CREATE TABLE masters (
	work_id VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	width_px INTEGER NOT NULL, 
	height_px INTEGER NOT NULL, 
	suspicion TEXT DEFAULT '' NOT NULL, 
	stored_at FLOAT NOT NULL, sent_digest VARCHAR(64) DEFAULT '' NOT NULL, cut_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (work_id)
);
INSERT INTO "masters" VALUES('dbc8417d7c45b328e62d9d5d0bece94424fc1668b9f22f2f75e5b26a15ac6ff1','00904b0fb0efb6ea79d619eca03d9ff56e71ff569057ff961bac38cd581377d3',48,48,'',1.79581158033134341243e+09,'aff85c52b4c7141f250e0b0ec186fd92b23945bc953b6c56fb212e0e5ddc9815','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "masters" VALUES('7b3c7e3dffdbd980d4904b6e84646f908c10b0f2d3124a070088847ae27f3175','3536b644e11a650a35158435fc6103b9b885c146d1692ed85ab2e772044ec7a8',48,48,'',1.79581158034954237938e+09,'98aea075bd691bf78218d136fa6f23cf8dee9a6a13c795b9cb0ac2579ce480a0','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "masters" VALUES('824ac720c9afbb27ce1eba4942ae9de9bb0c1f3194e5e1b6b84fe41592c76ac5','51738ca6c42ec70fc890dd63fdd341c3e935e10e50442833b92034642afc1869',48,48,'',1.79581158077785730357e+09,'9cb064d17472071364f4472f07a2282a428665b3d61285ea9fa650de09cff7ee','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "masters" VALUES('b6de67e460a418a029fe474a14004d6254677e732099120e95bc23d7def5db8c','7ec50d46e7678ccaec1dadd7abc098376b34736e949b4d14634775ba86178719',48,48,'',1.79581167968052434922e+09,'6388e64d5d641f5fce5b24002cc33bf1e1b2402e9a43a7bdde4a3018f889244c','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
INSERT INTO "masters" VALUES('17263e135b2c0b419aec410b074bcce67c6638a61f020fda561217c0add71d18','2726286ccfbfc5901dfd47f2b5321cefc16c945efa2675ebee6dd9e69337d27d',48,48,'',1.79581167968660163885e+09,'09f2ee9884fe486a6a0a21f7052e7d38688dc4d5040930ba0b061cfcb8044d86','c8e8dd740824b80b0bb20d800a88fd6a91db9741c4ab6096b4565215d93fd752');
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
CREATE TABLE syncs (
	id INTEGER NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT NOT NULL, 
	facts JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "syncs" VALUES(1,'balance',1.79581156896631503102e+09,1.79581156903254342076e+09,'{"provider": "bgeraser", "balance": 1000.0}');
INSERT INTO "syncs" VALUES(2,'scan',1.79581156905845522884e+09,1.79581156907730436324e+09,'{"complete": true, "listed": 5, "sentinel_seen": false}');
INSERT INTO "syncs" VALUES(3,'rehash',1.79581156905845522884e+09,1.7958115690876967907e+09,'{"day": 20784, "slice": 0}');
INSERT INTO "syncs" VALUES(4,'detect',1.79581156913748192787e+09,1.79581156926239681242e+09,'{"counts": {"new": 4, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 1, "renamed": 0, "output_missing": 0, "deleted": 0, "unchanged": 0, "skipped": 0, "collision": 0}, "rows": [{"class": "new", "items": 4, "to_buy": 4, "credits": 4.0, "why": "bags/0.png: not seen before; \u2026"}, {"class": "duplicate", "items": 1, "to_buy": 0, "credits": 0.0, "why": "shoes/copy.png: the same picture as shoes/0.png"}], "work": 5, "purchases": 4, "credits": 4.0}');
INSERT INTO "syncs" VALUES(5,'sync',1.79581156886019515988e+09,1.79581158088619923592e+09,'{"published": 4, "purchases": 3, "credits": 3.0, "saved": 1.0, "in_doubt": 0, "credits_in_doubt": 0.0, "wasted": 0, "bought_from": {"bgeraser": 3}, "duplicates": 1, "renamed": 0, "failed": 1, "quarantined": 0, "pending": 0, "paused": null, "budget_reached": false, "busy": "", "seconds": 12.024746179580688, "by_reason": {"new": 3, "duplicate": 1}, "failures": [{"key": "bags/broken.png", "state": "failed", "detail": "cannot be read as a picture: image file is truncated"}]}');
INSERT INTO "syncs" VALUES(6,'balance',1.79581165387059879306e+09,1.79581165391513133044e+09,'{"provider": "bgeraser", "balance": 997.0, "drift": 0.0, "sound": true, "because": "as the ledger says"}');
INSERT INTO "syncs" VALUES(7,'scan',1.79581165415168213846e+09,1.79581165419232654566e+09,'{"complete": true, "listed": 7, "sentinel_seen": false}');
INSERT INTO "syncs" VALUES(8,'detect',1.79581165461909770964e+09,1.7958116546886701584e+09,'{"counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "deleted": 0, "unchanged": 4, "skipped": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "hats/0.png: not seen before; \u2026"}, {"class": "skipped", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": 2.0}');
INSERT INTO "syncs" VALUES(9,'process',1.79581167900315141674e+09,1.79581167984596681589e+09,'{"published": 2, "purchases": 2, "credits": 2.0, "saved": 0.0, "in_doubt": 0, "credits_in_doubt": 0.0, "wasted": 0, "bought_from": {"bgeraser": 2}, "duplicates": 0, "renamed": 0, "failed": 0, "quarantined": 0, "pending": 0, "paused": null, "budget_reached": false, "busy": "", "seconds": 0.8425743579864502, "by_reason": {"new": 2}, "failures": [], "everything": true}');
INSERT INTO "syncs" VALUES(10,'balance',1.79581172675877714156e+09,1.79581172682809805875e+09,'{"provider": "bgeraser", "balance": 1000.0, "drift": 0.0, "sound": true, "because": "topped up in between"}');
INSERT INTO "syncs" VALUES(11,'scan',1.79581172685499811168e+09,1.79581172686370944976e+09,'{"complete": true, "listed": 9, "sentinel_seen": false}');
INSERT INTO "syncs" VALUES(12,'detect',1.79581172688156819345e+09,1.79581172695275449757e+09,'{"counts": {"new": 2, "changed": 0, "recipe_changed": 0, "unfinished": 0, "duplicate": 0, "renamed": 0, "output_missing": 0, "deleted": 0, "unchanged": 6, "skipped": 1, "collision": 0}, "rows": [{"class": "new", "items": 2, "to_buy": 2, "credits": 2.0, "why": "belts/0.png: not seen before; \u2026"}, {"class": "skipped", "items": 1, "to_buy": 0, "credits": 0.0, "why": "bags/broken.png: failed before: cannot be read as a picture: image file is truncated"}], "work": 2, "purchases": 2, "credits": 2.0}');
CREATE INDEX items_by_state ON items (state, collection);
CREATE INDEX items_by_published_work ON items (published_work_id);
CREATE INDEX attempts_by_work ON attempts (work_id);
CREATE INDEX attempts_by_start ON attempts (started_at);
CREATE UNIQUE INDEX attempts_open_once ON attempts (work_id) WHERE state = 'intent';
CREATE INDEX syncs_by_kind ON syncs (kind, id);
CREATE INDEX masters_by_sent ON masters (sent_digest, cut_hash);
CREATE INDEX attempts_by_run ON attempts (run);
CREATE INDEX items_by_output_name ON items (output_name, absent, "key");
CREATE INDEX outbox_by_target ON outbox (target, state, id);
COMMIT;
