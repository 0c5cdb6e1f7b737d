// boost.cc: an unordered map in Boost.Interprocess shared memory behind the library's sharable mutex.
#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/unordered_map.hpp>
#include <cerrno>
#include <cstring>
#include <string>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "peer.h"

namespace bip = boost::interprocess;

namespace {

struct key_ref {
	const unsigned char *bytes;
};

using bytes_ptr = bip::offset_ptr<unsigned char>;

struct stored_key {
	bytes_ptr bytes;
};

struct hash_of {
	std::size_t operator()(const stored_key &k) const { return XXH3_64bits(k.bytes.get(), peer_conf.key_bytes); }
	std::size_t operator()(const key_ref &k) const { return XXH3_64bits(k.bytes, peer_conf.key_bytes); }
};

struct same_key {
	bool operator()(const stored_key &a, const stored_key &b) const
	{
		return std::memcmp(a.bytes.get(), b.bytes.get(), peer_conf.key_bytes) == 0;
	}
	bool operator()(const key_ref &a, const stored_key &b) const
	{
		return std::memcmp(a.bytes, b.bytes.get(), peer_conf.key_bytes) == 0;
	}
	bool operator()(const stored_key &a, const key_ref &b) const { return (*this)(b, a); }
};

// The record holds key and value, so that a hit reads a node and a record.
using pair_alloc = bip::allocator<std::pair<const stored_key, bytes_ptr>, bip::managed_shared_memory::segment_manager>;
using table_type = boost::unordered_map<stored_key, bytes_ptr, hash_of, same_key, pair_alloc>;

bip::managed_shared_memory *segment;
bip::interprocess_sharable_mutex *mutex;
table_type *table;
std::string object;

int
bp_open()
{
	try {
		std::size_t bytes = (64u << 20) + peer_conf.n_keys * (peer_conf.key_bytes + peer_conf.value_bytes + 160);
		object = "peekd.bench.boost." + std::to_string(getpid());
		bip::shared_memory_object::remove(object.c_str());
		segment = new bip::managed_shared_memory(bip::create_only, object.c_str(), bytes);
		bip::shared_memory_object::remove(object.c_str()); // the mapping stays
		mutex = segment->construct<bip::interprocess_sharable_mutex>("mutex")();
		table = segment->construct<table_type>("table")(peer_conf.n_keys, hash_of(), same_key(),
		    pair_alloc(segment->get_segment_manager()));
		return 0;
	} catch (const std::exception &) {
		return -ENOMEM;
	}
}

ssize_t
bp_get(const void *key, void *value)
{
	bip::sharable_lock<bip::interprocess_sharable_mutex> lock(*mutex);
	auto at = table->find(key_ref{static_cast<const unsigned char *>(key)}, hash_of(), same_key());
	if (at == table->end())
		return -1;
	std::memcpy(value, at->second.get(), peer_conf.value_bytes);
	return static_cast<ssize_t>(peer_conf.value_bytes);
}

int
bp_set(const void *key, const void *value)
{
	bip::scoped_lock<bip::interprocess_sharable_mutex> lock(*mutex);
	try {
		auto at = table->find(key_ref{static_cast<const unsigned char *>(key)}, hash_of(), same_key());
		if (at != table->end()) {
			std::memcpy(at->second.get(), value, peer_conf.value_bytes);
			return 0;
		}
		auto *record = static_cast<unsigned char *>(segment->allocate(peer_conf.key_bytes + peer_conf.value_bytes));
		std::memcpy(record, key, peer_conf.key_bytes);
		std::memcpy(record + peer_conf.key_bytes, value, peer_conf.value_bytes);
		table->emplace(stored_key{record}, bytes_ptr(record + peer_conf.key_bytes));
		return 0;
	} catch (const std::exception &) {
		return -ENOMEM;
	}
}

} // namespace

extern "C" {
extern struct peer peer_boost;
struct peer peer_boost = {
	.name = "Boost.Interprocess",
	.about = "unordered_map in shared memory behind a sharable mutex",
	.flags = PEER_SHARED,
	.open = bp_open,
	.get = bp_get,
	.set = bp_set,
};
}
