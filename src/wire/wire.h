/*
 * wire.h: the socket contract: memcached's text protocol, classic and meta, as
 * bytes to structs and back.
 *
 * A pure codec: no I/O, no clock, no allocation. Everything that a struct
 * points to lies in the caller's buffer and is valid as long as the buffer is.
 * Any number of threads may use it at once on buffers of their own. Bounded:
 * linear in the bytes given.
 *
 * Server side: wire_parse, wire_next_key, and the encoders of replies. Client
 * side: the encoders of requests, and wire_parse_reply.
 */
#ifndef PEEK_WIRE_H
#define PEEK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_KEY_MAX 250u /* bytes of a key, raw or (meta b) as encoded */
/* encoded form of any key of WIRE_KEY_MAX bytes: meta `bl` */
#define WIRE_KEY_B64_MAX 336u
/* a line without LF in this many bytes closes the connection ... */
#define WIRE_LINE_MAX     2048u
#define WIRE_GET_LINE_MAX (8u << 20) /* ... unless the line begins "get " or "gets " */
#define WIRE_LEAD_MAX     100u       /* leading spaces of such a line */
#define WIRE_DATA_MAX     UINT32_C(2147483645)
#define WIRE_FLAGS_MAX    17u  /* meta flags of a request */
#define WIRE_OPAQUE_MAX   32u  /* bytes, the O included */
#define WIRE_TAG_MAX      128u /* bytes of a tag's name */
#define WIRE_TAGS_MAX     4u   /* tags of an item */
/* no reply line without data is longer (ITEM: three times the key) */
#define WIRE_REPLY_LINE_MAX 1024u

/* An answer: the row of replies.def. WIRE_RE_NONE is no answer. */
enum wire_code {
	WIRE_RE_NONE,
#define REPLY(id, kind, text, args, error, status, help) WIRE_RE_##id,
#include "wire/replies.def"
#undef REPLY
	WIRE_N_REPLIES
};

/* Errors stand last. */
enum wire_kind {
	WIRE_KIND_META,
	WIRE_KIND_CLASSIC,
	WIRE_KIND_OWN,
	WIRE_KIND_ERROR,
	WIRE_KIND_CLIENT_ERROR,
	WIRE_KIND_SERVER_ERROR,
};

struct wire_reply_info {
	const char *text;
	uint8_t text_len;
	bool has_args;
	enum wire_kind kind;
	int error;      /* 0, or the negative errno of libpeek's writes */
	uint8_t status; /* peekctl's exit status */
};

/* WIRE_N_REPLIES rows of replies.def, by enum wire_code. */
extern const struct wire_reply_info wire_replies[WIRE_N_REPLIES];

struct wire_str {
	const char *p;
	uint32_t len;
};

enum wire_verb {
#define VERB(id, name, shape, access, words_min, words_max, noreply, args, help) WIRE_##id,
#include "wire/verbs.def"
#undef VERB
	WIRE_N_VERBS
};

enum wire_shape {
	WIRE_SHAPE_GET,   /* keys to the end of the line */
	WIRE_SHAPE_GAT,   /* exptime, keys */
	WIRE_SHAPE_TAGS,  /* names of tags to the end of the line */
	WIRE_SHAPE_STORE, /* key flags exptime bytes [cas], then a data block */
	WIRE_SHAPE_DEL,
	WIRE_SHAPE_ARITH, /* key delta */
	WIRE_SHAPE_TOUCH, /* key exptime */
	WIRE_SHAPE_FLUSH, /* [delay] */
	WIRE_SHAPE_VERB,  /* level */
	WIRE_SHAPE_META,  /* key [bytes] flags, maybe a data block */
	WIRE_SHAPE_NUMS,  /* one or two unsigned numbers */
	WIRE_SHAPE_PLAIN, /* no words, or words that the verb tells apart */
};

/*
 * The first bytes of a snapshot. A save replaces no file that begins otherwise.
 */
#define WIRE_SNAPSHOT_MAGIC "\x89peeks\r\n"

enum wire_access { WIRE_ACCESS_READ, WIRE_ACCESS_WRITE, WIRE_ACCESS_ADMIN };

struct wire_verb_info {
	char name[16]; /* NUL-padded */
	enum wire_shape shape;
	enum wire_access access;
	uint8_t words_min, words_max;
	bool noreply;
	const char *args, *help;
};

/* WIRE_N_VERBS rows of verbs.def, by enum wire_verb. */
extern const struct wire_verb_info wire_verbs[WIRE_N_VERBS];

/* "read", "write", "admin" */
const char *wire_access_name(enum wire_access access);

/* ---- requests, as a server reads them ---- */

struct wire_flag {
	char letter;
	/* of the token behind the letter, cut at 255 (only P and L may be
	 * longer, and are ignored) */
	uint8_t len;
	const char *token; /* valid with len > 0 */
};

/* Bits of wire_request.given: the flags of a meta request that were sent. */
#define WIRE_HAS(letter) (UINT64_C(1) << ((letter)&63))

/* exptime holds what was sent. 0: never; negative: has passed; up to
 * WIRE_EXPTIME_DELTA_MAX_S: seconds from now; above: Unix time, to 2106 and
 * beyond. A number with a plus sign counts from now whatever its size, up to
 * 2^32 - 1, and WIRE_FROM_NOW is set. */
#define WIRE_FROM_NOW            (INT64_C(1) << 40)
#define WIRE_EXPTIME_DELTA_MAX_S 2592000u /* 30 days */

#define WIRE_LEASE_MS_MAX 86400000u /* a day */

enum { WIRE_CRAWL_NONE, WIRE_CRAWL_META, WIRE_CRAWL_MG };

struct wire_request {
	enum wire_verb verb;
	enum wire_access access; /* what the peer needs for exactly this request */
	bool noreply;            /* classic: say nothing at all */
	bool quiet;              /* meta q */
	bool base64;             /* meta b: key is decoded, key_sent is not */
	uint32_t line_bytes;     /* of the line, its LF included */
	uint32_t data_bytes;     /* of the data block, without its CR LF; 0 without one */
	uint64_t total_bytes;    /* of the whole request: line, data and CR LF */
	const char *line;        /* where it begins */
	enum wire_code error;    /* WIRE_BAD: the answer */
	/* WIRE_BAD: a data block of unknown length may follow, so that the next
	 * lines may be a value */
	bool lost;

	struct wire_str key;      /* 1 .. WIRE_KEY_MAX; what is stored and hashed */
	struct wire_str key_sent; /* as it stood on the line */
	/* GET, GAT, TAGS: offset in the line where the keys, or tags, begin
	 * ... and end */
	uint32_t keys_at, keys_end;

	const char *data; /* WIRE_OK only */
	uint32_t client_flags;
	int64_t exptime; /* STORE, TOUCH, GAT, FLUSH; meta T */
	/* cas: the CAS id; incr, decr, ma: the delta; verbosity: the level;
	 * NUMS: the first; lru_crawler: which list it asks for, WIRE_CRAWL_* */
	uint64_t number;
	uint64_t number2;     /* NUMS: the second */
	struct wire_str word; /* stats, shutdown, lru_crawler: the first argument; len 0: none */
	/* ... and the second. stats cachedump: class and count are number and
	 * number2 */
	struct wire_str word2;

	/* meta: the numbers of its flags; `given` says which were sent */
	uint64_t given;        /* WIRE_HAS(letter) of every flag that was sent */
	uint64_t compare_cas;  /* C */
	uint64_t explicit_cas; /* E */
	uint64_t initial;      /* J */
	int64_t vivify;        /* N, as exptime */
	int64_t recache;       /* R, as exptime */
	struct wire_str tags;  /* G: 1 .. WIRE_TAGS_MAX names with commas between them */
	uint32_t lease_ms;     /* mg Y: 1 .. WIRE_LEASE_MS_MAX */
	char mode;             /* M; 0: not given */
	uint8_t n_flags;
	struct wire_flag flag[WIRE_FLAGS_MAX]; /* in the order sent */
	unsigned char key_decoded[WIRE_KEY_B64_MAX / 4 * 3];
};

enum wire_status {
	WIRE_OK,   /* a whole request; consume total_bytes once it is carried out */
	WIRE_MORE, /* no LF yet: call again with more bytes, and scanned = len */
	/* the line is whole and well formed, and its data block isn't here yet:
	 * all but `data` is filled in. Ask cmd_admit whether the block is
	 * wanted. If it is, call again once total_bytes are here; else drop
	 * total_bytes */
	WIRE_DATA,
	/* answer `error` unless noreply, and drop total_bytes, which may reach
	 * beyond the bytes that are here. A dropped data block (data is NULL)
	 * that doesn't end in CR LF had another length than its line says */
	WIRE_BAD,
	WIRE_CLOSE, /* hang up, not a byte is answered */
};

/*
 * Reads one request from the start of buf. scanned: this many bytes of buf are
 * known to hold no LF (0 when in doubt). The status says which fields of *ret
 * are meaningful; *ret is not cleared between calls. Its pointers point into
 * buf, except that of key with base64, which points into *ret. Every key of a
 * GET or GAT line, and every tag, has been checked when the result is WIRE_OK.
 */
enum wire_status wire_parse(const char *buf, size_t len, size_t scanned, struct wire_request *ret);

/*
 * Iterates over the keys of a GET or GAT request, or over the tags of a TAGS
 * request. *cursor begins at 0 and is an
 * offset in the line, so that an iteration may stop, the buffer move and the
 * line be parsed again, and then go on. False: no more.
 */
static inline bool
wire_next_key(const struct wire_request *req, uint32_t *cursor, struct wire_str *ret_key)
{
	const char *p = req->line + (*cursor != 0 ? *cursor : req->keys_at);
	const char *end = req->line + req->keys_end;

	while (p < end && *p == ' ')
		p++;
	if (p >= end)
		return false;
	const char *q = p;
	while (q < end && *q != ' ')
		q++;
	*ret_key = (struct wire_str){p, (uint32_t)(q - p)};
	*cursor = (uint32_t)(q - req->line);
	return true;
}

/* True: these bytes may be the name of a tag: 1 .. WIRE_TAG_MAX bytes, none of
 * them a comma, a space, a control character or DEL. */
bool wire_tag_ok(const void *name, size_t len);

/* Takes the first name off a list of tags with commas between them. False: the
 * list is empty. */
static inline bool
wire_next_tag(struct wire_str *list, struct wire_str *ret_name)
{
	if (list->len == 0)
		return false;
	const char *comma = memchr(list->p, ',', list->len);
	uint32_t n = comma != NULL ? (uint32_t)(comma - list->p) : list->len;
	uint32_t taken = comma != NULL ? n + 1 : n;

	*ret_name = (struct wire_str){list->p, n};
	*list = (struct wire_str){list->p + taken, list->len - taken};
	return true;
}

/* Decimal digits, with or without a plus sign, the whole of [p, p + len).
 * False: it is no number, or too large; *ret is untouched. */
bool wire_u64(const char *p, size_t len, uint64_t *ret);
bool wire_u32(const char *p, size_t len, uint32_t *ret);

/* ---- bytes out ---- */

/*
 * An output buffer that belongs to the caller. Encoders append at len, and
 * clear nothing. If there is no room, grow (if not NULL) is asked to make cap
 * at least `cap_min`; it may move buf. It returns 0 or a negative errno. After
 * an errno `failed` is set, nothing is appended from then on, and the
 * connection can't be kept.
 */
struct wire_out {
	char *buf;
	size_t len, cap;
	int (*grow)(struct wire_out *out, size_t cap_min);
	void *arg; /* the owner's */
	bool failed;
};

char *wire_out_grow(struct wire_out *out, size_t n);

/* Room for n bytes at buf + len, or NULL. Advance len by what was written. */
static inline char *
wire_reserve(struct wire_out *out, size_t n)
{
	if (out->cap - out->len >= n && !out->failed)
		return out->buf + out->len;
	return wire_out_grow(out, n);
}

static inline void
wire_put(struct wire_out *out, const void *bytes, size_t n)
{
	char *p = wire_reserve(out, n);

	if (p != NULL) {
		memcpy(p, bytes, n);
		out->len += n;
	}
}

/* The text of a reply at p; returns the end. */
static inline char *
wire_reply_text(char *p, enum wire_code code)
{
	memcpy(p, wire_replies[code].text, wire_replies[code].text_len);
	return p + wire_replies[code].text_len;
}

/* A reply without arguments: its text and CR LF. */
void wire_put_reply(struct wire_out *out, enum wire_code code);

/* A reply with arguments: its text, a blank, the arguments as printf makes
 * them, and CR LF. Cut at WIRE_REPLY_LINE_MAX bytes. Not for the hot path. */
void wire_put_reply_words(struct wire_out *out, enum wire_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Decimal digits of v at p (room for 20); returns the end. */
char *wire_digits(char *p, uint64_t v);

/* base64 of n bytes at p (room for (n + 2) / 3 * 4); returns the end. */
char *wire_base64(char *p, const void *bytes, size_t n);

/* Decodes; *ret_n is at most len / 4 * 3. False: not base64, or empty. out may
 * not overlap p. */
bool wire_unbase64(const char *p, size_t len, unsigned char *out, size_t *ret_n);

/* A key as ITEM lines carry it: bytes outside [A-Za-z0-9._~-] and /:@ as %XX. p
 * has room for 3 * n. Returns the end. */
char *wire_urlencode(char *p, const void *bytes, size_t n);
/* The reverse; out has room for len. False: a bad escape. */
bool wire_urldecode(const char *p, size_t len, unsigned char *out, size_t *ret_n);

/* A line of stats: STAT, the name, the value. */
void wire_put_stat_u64(struct wire_out *out, const char *name, uint64_t value);
void wire_put_stat_str(struct wire_out *out, const char *name, const char *value);
/*
 * A value of any bytes as one word, since tools count the words of a line:
 * spaces, control characters and percent signs are escaped as %XX. An empty
 * value is NULL.
 */
void wire_put_stat_word(struct wire_out *out, const char *name, const char *value);

/* The server's answer to peek_attach; the descriptor goes with its first byte
 * (SCM_RIGHTS). */
void wire_put_attached(struct wire_out *out, uint64_t client_idx, uint64_t total_bytes,
    uint64_t n_clients_max, uint64_t epoch);
/* The same for peek_ring. */
void wire_put_ring(struct wire_out *out, uint64_t total_bytes, uint64_t spin_us);

/* ---- requests, as a client writes them ---- */

/*
 * A meta request's line: "<verb> <key>[ <data_bytes>][ <flags>][ b]\r\n". The
 * key has 1 .. WIRE_KEY_MAX bytes of any kind, and is sent encoded if it holds
 * a byte that a line can't carry. data_bytes -1: no such word (mg md ma me);
 * otherwise the data and CR LF are to follow. flags: "v c T60", without leading
 * or trailing blank; "" or NULL: none. There is no b among them. Takes at most
 * WIRE_KEY_B64_MAX + 32 + strlen(flags) bytes.
 */
void wire_put_meta(struct wire_out *out, enum wire_verb verb, const void *key, size_t key_len,
    int64_t data_bytes, const char *flags);

/* True: the key can stand on a line as it is, since it has no byte up to the
 * space and no DEL. */
bool wire_key_plain(const void *key, size_t key_len);

/* ---- replies, as a client reads them ---- */

#define WIRE_REPLY_ARGS_MAX 8

struct wire_reply {
	/* An error line without a row of its own is WIRE_RE_ERROR,
	 * WIRE_RE_CLIENT_ERROR or WIRE_RE_SERVER_ERROR. */
	enum wire_code code;
	uint64_t total_bytes; /* line, data and CR LF */
	/* the line behind its first word, without CR LF: an error's message,
	 * VERSION's text, STAT's name and value */
	struct wire_str rest;
	uint32_t n_args; /* the first words of rest */
	struct wire_str arg[WIRE_REPLY_ARGS_MAX];
	const char *data; /* VA, VALUE */
	uint32_t data_bytes;
	uint64_t number; /* NUMBER */
};

/*
 * Reads one reply (one line, with its data block) from the start of buf. 1: the
 * reply is in *ret; consume total_bytes. 0: more bytes are needed (*ret_need,
 * if not NULL: at least this many in all; 0 unknown). -EBADMSG: the bytes are
 * not in the protocol, or a line has no end.
 */
int wire_parse_reply(const char *buf, size_t len, struct wire_reply *ret, uint64_t *ret_need);

static inline bool
wire_reply_is_error(const struct wire_reply *re)
{
	return wire_replies[re->code].kind >= WIRE_KIND_ERROR;
}

/* The token behind a flag letter of a meta reply (HD, VA, EN ...). False: the
 * reply has no such flag. 'W', 'X', 'Z' have empty tokens. */
bool wire_reply_flag(const struct wire_reply *re, char letter, struct wire_str *ret_token);

/* An item as the reply to `mg KEY v f t c` describes it. */
struct wire_item_reply {
	uint32_t flags;
	uint64_t cas;
	int64_t ttl_s; /* -1: never expires */
	bool stale;
};
struct wire_item_reply wire_reply_item(const struct wire_reply *re);

#endif
