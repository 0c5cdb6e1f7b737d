// memcached (npm) over TCP: node memcached.js HOST:PORT
"use strict";
const assert = require("assert");
const { promisify } = require("util");
const Memcached = require("memcached");

const m = new Memcached(process.argv[2], { maxValue: 2000000, timeout: 5000 });
const call = (name, ...args) => promisify(m[name]).call(m, ...args);

(async () => {
	assert.strictEqual(await call("set", "key", "value", 0), true);
	assert.strictEqual(await call("get", "key"), "value");
	assert.strictEqual(await call("set", "object", { a: [1, 2] }, 60), true);
	assert.deepStrictEqual(await call("get", "object"), { a: [1, 2] });
	const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	await call("set", "bytes", bytes, 60);
	assert.deepStrictEqual(await call("get", "bytes"), bytes);
	await call("set", "n", 5, 60);
	assert.strictEqual(await call("incr", "n", 2), 7);
	assert.strictEqual(await call("decr", "n", 10), 0);
	await assert.rejects(call("add", "key", "other", 0));
	assert.strictEqual(await call("add", "new", "x", 0), true);
	assert.strictEqual(await call("replace", "new", "y", 0), true);
	assert.strictEqual(await call("append", "new", "z"), true);
	assert.strictEqual(await call("prepend", "new", "a"), true);
	assert.strictEqual(await call("get", "new"), "ayz");
	const { cas } = await call("gets", "key");
	assert.strictEqual(await call("cas", "key", "mine", cas, 0), true);
	assert.strictEqual(await call("cas", "key", "late", cas, 0), false);
	const many = await call("getMulti", ["key", "new", "nothing"]);
	assert.deepStrictEqual(many, { key: "mine", new: "ayz" });
	const big = "b".repeat(1000000);
	await call("set", "big", big, 0);
	assert.strictEqual(await call("get", "big"), big);
	assert.strictEqual(await call("touch", "key", 100), true);
	assert.strictEqual(await call("del", "key"), true);
	assert.strictEqual(await call("get", "key"), undefined);
	assert.ok((await call("version"))[0].version);
	assert.ok((await call("stats"))[0].pid);
	await call("flush");
	assert.strictEqual(await call("get", "new"), undefined);
	m.end();
})().catch((error) => {
	console.error(error);
	process.exit(1);
});
