// memcache-client (npm) over TCP: node memcache-client.js HOST:PORT
"use strict";
const assert = require("assert");
const pkg = require("memcache-client");
const MemcacheClient = pkg.MemcacheClient || pkg.default || pkg;

const m = new MemcacheClient({ server: process.argv[2], cmdTimeout: 5000 });

(async () => {
	await m.set("key", "value");
	assert.strictEqual((await m.get("key")).value, "value");
	await m.set("object", { a: [1, 2] });
	assert.deepStrictEqual((await m.get("object")).value, { a: [1, 2] });
	const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	await m.set("bytes", bytes);
	assert.deepStrictEqual((await m.get("bytes")).value, bytes);
	await m.set("n", "5");
	assert.strictEqual(Number(await m.incr("n", 2)), 7);
	assert.strictEqual(Number(await m.decr("n", 10)), 0);
	await assert.rejects(m.add("key", "other"));
	await m.add("new", "x");
	await m.replace("new", "y");
	await m.append("new", "z");
	await m.prepend("new", "a");
	assert.strictEqual((await m.get("new")).value, "ayz");
	const cas = (await m.gets("key")).casUniq;
	await m.cas("key", "mine", { casUniq: cas });
	await assert.rejects(m.cas("key", "late", { casUniq: cas }));
	const many = await m.get(["key", "new", "nothing"]);
	assert.deepStrictEqual(Object.keys(many).sort(), ["key", "new"]);
	await m.set("page", "c".repeat(500000));
	assert.strictEqual((await m.get("page")).value, "c".repeat(500000));
	await m.touch("key", 100);
	await m.delete("key");
	assert.strictEqual(await m.get("key"), undefined);
	assert.ok((await m.version()).length > 0);
	m.shutdown();
})().catch((error) => {
	console.error(error);
	process.exit(1);
});
