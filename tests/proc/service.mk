# Packages, and checks of the whole service: deb, deb-check, abi-check, abi-update, container-check.

DEB      := build/deb
DEB_TREE := $(DEB)/peekd-$(VERSION)
# To build packages for others, give a name and an address: MAINTAINER='Name <address>'
MAINTAINER ?= peekd maintainers <peekd@localhost.localdomain>

.PHONY: deb deb-check abi-check abi-update container-check

# The source tree gets debian/ from conf/debian. A fixed date makes the same package of
# the same sources.
deb: ## build Debian packages into build/deb
	@.ci/deps install build deb
	rm -rf $(DEB)
	mkdir -p $(DEB_TREE)
	cp -R Makefile LICENSE README.md .ci include src conf systemd bench $(DEB_TREE)
	rm -rf $(DEB_TREE)/conf/debian
	cp -R conf/debian $(DEB_TREE)/debian
	sed -i 's/@maintainer@/$(MAINTAINER)/' $(DEB_TREE)/debian/control
	cp systemd/peekd.sysusers $(DEB_TREE)/debian/peekd.sysusers
	cp systemd/peekd.tmpfiles $(DEB_TREE)/debian/peekd.tmpfiles
	printf 'peekd (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' \
	    $(VERSION) $(VERSION) '$(MAINTAINER)' "$$(git log -1 --format=%cD 2>/dev/null || date -R)" >$(DEB_TREE)/debian/changelog
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc -b
	@ls -l $(DEB)/*.deb

deb-check: $(if $(wildcard $(DEB)/*.deb),,deb) ## lintian, and the packages installed, started and purged in a fresh Debian root (as root)
	@.ci/deps install deb
	tests/proc/deb_trial $(DEB)

# libpeek.abi is the last release's ABI. Additions are allowed; changes and removals are not.
abi-check: $(B)/libpeek.so ## compare libpeek.so with the last release's ABI
	@.ci/deps install deb
	abidiff --headers-dir2 include --no-added-syms src/lib/libpeek.abi $(B)/libpeek.so

abi-update: $(B)/libpeek.so ## make this libpeek.so the release that abi-check compares with
	abidw --headers-dir include --drop-private-types --no-comp-dir-path --no-corpus-path --no-show-locs $(B)/libpeek.so >src/lib/libpeek.abi

container-check: $(B)/peekd $(B)/peekctl ## daemon and readers in different namespaces, as root
	@B=$(B) tests/run tests/proc/test_service_containers.sh
