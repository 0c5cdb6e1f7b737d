import sys
from pymemcache.client.base import Client

cache = Client(sys.argv[1])  # the control socket, for example /run/peekd/default.sock
cache.set("greeting", "hello", expire=60)
print(cache.get("greeting").decode())
