# Checks the expectations of the wire tests against Debian's memcached: it answers as
# they expect, except for the cases in the file `differences`.

.PHONY: check-wire-peer
check-wire-peer: ## check the wire tests' expectations against Debian's memcached
	@.ci/deps install test
	@PEEK_TEST_SERVER=memcached tests/run tests/wire/test_protocol.py

.PHONY: fuzz-peer
fuzz-peer: $(B)/peekd ## send COMMANDS=200000 random commands to peekd and to Debian's memcached, and compare the replies
	@.ci/deps install test
	@B=$(B) PEEK_TEST_COMMANDS=$(or $(COMMANDS),200000) tests/run tests/wire/test_differential.py

.PHONY: protocol-manual
protocol-manual: $(B)/tests/wire/test_manual ## write the lists of peekd-protocol(7) from verbs.def and replies.def
	$< --write
