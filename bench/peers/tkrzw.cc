// tkrzw.cc: tkrzw's TinyDBM, its hash table in the memory of one process. It hashes by itself.
#include <cerrno>
#include <cstring>
#include <string_view>
#include <tkrzw_dbm_tiny.h>

#include "peer.h"

namespace {

tkrzw::TinyDBM *dbm;

class copy_out final : public tkrzw::DBM::RecordProcessor {
public:
	explicit copy_out(void *value) : value_(value) {}
	std::string_view ProcessFull(std::string_view, std::string_view value) override
	{
		std::memcpy(value_, value.data(), value.size());
		len = static_cast<ssize_t>(value.size());
		return NOOP;
	}
	ssize_t len = -1;

private:
	void *value_;
};

int
tk_open()
{
	dbm = new tkrzw::TinyDBM(static_cast<int64_t>(peer_conf.n_keys));
	return 0;
}

ssize_t
tk_get(const void *key, void *value)
{
	copy_out out(value);
	dbm->Process(std::string_view(static_cast<const char *>(key), peer_conf.key_bytes), &out, false);
	return out.len;
}

int
tk_set(const void *key, const void *value)
{
	tkrzw::Status s = dbm->Set(std::string_view(static_cast<const char *>(key), peer_conf.key_bytes),
	    std::string_view(static_cast<const char *>(value), peer_conf.value_bytes));
	return s == tkrzw::Status::SUCCESS ? 0 : -EIO;
}

} // namespace

extern "C" {
extern struct peer peer_tkrzw;
struct peer peer_tkrzw = {
	.name = "tkrzw",
	.about = "TinyDBM, in one process",
	.open = tk_open,
	.get = tk_get,
	.set = tk_set,
};
}
