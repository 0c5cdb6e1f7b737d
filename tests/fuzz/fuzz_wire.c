/*
 * fuzz_wire.c: any bytes through the codec, as a server and as a client reads
 * them.
 *
 * These must hold, besides that no byte outside the input is touched (each
 * input is copied to a block of its exact size):
 *  - a request is consumed from the front, so that a stream always moves on;
 *  - everything in a request points into the input, and keeps its limits;
 *  - a prefix of a request is never taken for another one, nor refused: it
 *  waits;
 *  - what a client writes is read back by the server as it was meant.
 *
 * LLVMFuzzerTestOneInput is libFuzzer's entry. tests/unit/test_wire_corpus.c
 * replays the corpus through it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

static void
inside(const struct wire_str *s, const char *buf, size_t len)
{
	REQUIRE(s->len == 0 || (s->p >= buf && s->len <= len && s->p <= buf + len - s->len));
}

static void
check_keys(const struct wire_request *req, const char *buf)
{
	struct wire_str key;
	uint32_t cursor = 0, n = 0;

	while (wire_next_key(req, &cursor, &key)) {
		inside(&key, buf, req->line_bytes);
		REQUIRE(key.len >= 1 && key.len <= WIRE_KEY_MAX);
		REQUIRE(
		    memchr(key.p, ' ', key.len) == NULL && memchr(key.p, '\n', key.len) == NULL);
		n++;
	}
	REQUIRE(n > 0);
	REQUIRE(!wire_next_key(req, &cursor, &key));
}

static void
check_meta(const struct wire_request *req, const char *buf)
{
	inside(&req->key_sent, buf, req->line_bytes);
	REQUIRE(req->key_sent.len <= (req->base64 ? WIRE_KEY_B64_MAX : WIRE_KEY_MAX));
	REQUIRE(req->n_flags <= WIRE_FLAGS_MAX);
	uint64_t given = 0;
	for (unsigned i = 0; i < req->n_flags; i++) {
		struct wire_str token = {req->flag[i].token, req->flag[i].len};
		inside(&token, buf, req->line_bytes);
		REQUIRE((given & WIRE_HAS(req->flag[i].letter)) == 0);
		given |= WIRE_HAS(req->flag[i].letter);
		REQUIRE(req->flag[i].letter != 'O' || token.len < WIRE_OPAQUE_MAX);
	}
	REQUIRE(given == req->given);
}

/* A whole request. */
static void
check_request(const struct wire_request *req, const char *buf, size_t len)
{
	enum wire_shape shape = wire_verbs[req->verb].shape;

	REQUIRE(req->line_bytes >= 1 && req->line_bytes <= len && req->total_bytes <= len);
	REQUIRE(req->line == buf && buf[req->line_bytes - 1] == '\n');
	REQUIRE(req->access <= WIRE_ACCESS_ADMIN && req->access >= wire_verbs[req->verb].access);
	if (shape == WIRE_SHAPE_GET || shape == WIRE_SHAPE_GAT)
		check_keys(req, buf);
	if (shape == WIRE_SHAPE_META && req->verb != WIRE_MN)
		check_meta(req, buf);
	if (shape == WIRE_SHAPE_STORE || shape == WIRE_SHAPE_META || shape == WIRE_SHAPE_DEL ||
	    shape == WIRE_SHAPE_ARITH || shape == WIRE_SHAPE_TOUCH)
		REQUIRE(req->key.len >= 1 && req->key.len <= WIRE_KEY_MAX);
	if (req->total_bytes > req->line_bytes) {
		REQUIRE(req->total_bytes == (uint64_t)req->line_bytes + req->data_bytes + 2);
		REQUIRE(req->data == buf + req->line_bytes);
	}
}

/* Cut anywhere, the request waits for its rest, and says rightly how long it
 * is. */
static void
check_prefix(const struct wire_request *whole, const char *buf, size_t at)
{
	static struct wire_request part;
	char *cut = malloc(at + (at == 0));

	REQUIRE(cut != NULL);
	memcpy(cut, buf, at);
	enum wire_status status = wire_parse(cut, at, 0, &part);
	if (at < whole->line_bytes) {
		REQUIRE(status == WIRE_MORE || (status == WIRE_CLOSE && at > WIRE_LINE_MAX));
		REQUIRE(status == WIRE_CLOSE || wire_parse(cut, at, at, &part) == WIRE_MORE);
	} else {
		REQUIRE(status == WIRE_DATA && part.total_bytes == whole->total_bytes &&
		    part.verb == whole->verb);
	}
	free(cut);
}

static void
as_server(const char *data, size_t len)
{
	static struct wire_request req;
	size_t at = 0;

	for (unsigned n = 0; at < len && n < 200; n++) {
		char *buf = malloc(len - at);
		REQUIRE(buf != NULL);
		memcpy(buf, data + at, len - at);
		enum wire_status status = wire_parse(buf, len - at, 0, &req);
		if (status == WIRE_OK) {
			check_request(&req, buf, len - at);
			check_prefix(
			    &req, buf, (size_t)(req.total_bytes * (n + 1) % (req.total_bytes)));
			check_prefix(&req, buf, (size_t)req.total_bytes - 1);
		}
		if (status == WIRE_BAD)
			REQUIRE(wire_replies[req.error].kind >= WIRE_KIND_ERROR &&
			    req.total_bytes >= req.line_bytes);
		if (status == WIRE_DATA)
			REQUIRE(req.total_bytes > len - at);
		free(buf);
		if ((status != WIRE_OK && status != WIRE_BAD) || req.total_bytes > len - at)
			return;
		REQUIRE(req.total_bytes > 0);
		at += (size_t)req.total_bytes;
	}
}

static void
as_client(const char *data, size_t len)
{
	static struct wire_reply re;
	char *buf = malloc(len + 1);
	uint64_t need = 0;
	struct wire_str token;

	REQUIRE(buf != NULL);
	memcpy(buf, data, len);
	int r = wire_parse_reply(buf, len, &re, &need);
	if (r == 1) {
		REQUIRE(re.total_bytes <= len && re.n_args <= WIRE_REPLY_ARGS_MAX);
		inside(&re.rest, buf, len);
		for (unsigned i = 0; i < re.n_args; i++)
			inside(&re.arg[i], buf, len);
		if (wire_reply_flag(&re, 'c', &token))
			inside(&token, buf, len);
		REQUIRE(re.data == NULL ||
		    (re.data >= buf && re.data + re.data_bytes + 2 <= buf + len));
	} else if (r == 0) {
		REQUIRE(need == 0 || need > len);
	}
	free(buf);
}

/* The first byte: what is done with the others as a key. */
static void
round_trip(const uint8_t *data, size_t len)
{
	static struct wire_request req;
	char line[WIRE_KEY_B64_MAX + 64];
	struct wire_out out = {.buf = line, .cap = sizeof(line)};
	size_t key_len = len < WIRE_KEY_MAX ? len : WIRE_KEY_MAX, n;
	unsigned char back[WIRE_KEY_B64_MAX];
	char text[3 * WIRE_KEY_MAX];

	if (key_len == 0)
		return;
	wire_put_meta(&out, WIRE_MG, data, key_len, -1, "v c T+100000000");
	REQUIRE(!out.failed && wire_parse(line, out.len, 0, &req) == WIRE_OK &&
	    req.total_bytes == out.len);
	REQUIRE(req.key.len == key_len && memcmp(req.key.p, data, key_len) == 0);
	REQUIRE(req.exptime == (100000000 | WIRE_FROM_NOW));
	char *end = wire_base64(text, data, key_len);
	REQUIRE(wire_unbase64(text, (size_t)(end - text), back, &n) && n == key_len &&
	    memcmp(back, data, n) == 0);
	end = wire_urlencode(text, data, key_len);
	REQUIRE(
	    wire_urldecode(text, (size_t)(end - text), (unsigned char *)line, &n) && n == key_len);
	REQUIRE(memcmp(line, data, n) == 0);
	(void)wire_urldecode((const char *)data, key_len, back, &n);
	(void)wire_unbase64((const char *)data, key_len, back, &n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_server((const char *)data, size);
	as_client((const char *)data, size);
	round_trip(data, size);
	return 0;
}
