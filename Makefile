# The front door. Everything else is meson and ninja, behind it.
#
#   make            install what is missing, build into build/
#   make run        the same, then start examples/pinglog under hob and show it
#   make check      all tests; the last line is "N passed, N failed"
#   make bench      measure, as ratios against floors
#   make install    PREFIX=/usr/local DESTDIR=

PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
SANITIZED := build-asan
WERROR := $(if $(CI),-Dwerror=true,)

PACKAGES := meson ninja-build gcc libc6-dev pkg-config libjansson-dev uthash-dev libcmocka-dev \
	libseccomp-dev libcap-dev scdoc python3 python3-pytest python3-pytest-xdist jq curl iputils-ping \
	redis-server memcached nginx-light

.PHONY: all deps build run check check-unit check-system check-asan bench sim fuzz install format clean

all: build

# dpkg is asked first, so that a machine with everything needs neither network nor root.
deps:
	@missing=""; \
	for p in $(PACKAGES); do \
		case "$$p" in nginx-light) set -- nginx-light nginx nginx-full nginx-core nginx-extras;; *) set -- $$p;; esac; \
		have=no; for q in "$$@"; do \
			dpkg-query -W -f='$${db:Status-Status}' $$q 2>/dev/null | grep -qx installed && have=yes; \
		done; \
		[ $$have = yes ] || missing="$$missing $$p"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	echo "missing:$$missing"; \
	if [ "$$(id -u)" = 0 ]; then \
		printf '#!/bin/sh\nexit 101\n' > /tmp/hob-policy.$$$$ && chmod +x /tmp/hob-policy.$$$$; \
		made=no; [ -e /usr/sbin/policy-rc.d ] || { cp /tmp/hob-policy.$$$$ /usr/sbin/policy-rc.d && made=yes; }; \
		rm -f /tmp/hob-policy.$$$$; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive $$install; r=$$?; \
		[ $$made = no ] || rm -f /usr/sbin/policy-rc.d; \
		exit $$r; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then \
		sudo apt-get update -q && sudo DEBIAN_FRONTEND=noninteractive $$install; \
	else \
		echo "please type:  sudo $$install"; exit 1; \
	fi

$(BUILD)/build.ninja: | deps
	meson setup $(BUILD) --prefix=$(PREFIX) $(WERROR)

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD)
	@ln -sf tests/sim/sim $(BUILD)/sim

run: build
	@sh examples/tour.sh $(BUILD)

# The unit, trace and simulation tests run a second time under ASan and UBSan.
$(SANITIZED)/build.ninja: | deps
	meson setup $(SANITIZED) -Db_sanitize=address,undefined -Dbuildtype=debug -Db_lundef=false $(WERROR)

check: build $(SANITIZED)/build.ninja
	@ninja -C $(SANITIZED)
	@/usr/bin/python3 tests/run.py --build $(BUILD) --sanitized $(SANITIZED)

check-unit: build
	@/usr/bin/python3 tests/run.py --build $(BUILD) --no-system

check-system: build
	@/usr/bin/python3 tests/run.py --build $(BUILD) --no-unit

check-asan: $(SANITIZED)/build.ninja
	@ninja -C $(SANITIZED)
	@/usr/bin/python3 tests/run.py --sanitized $(SANITIZED)

bench: build
	@/usr/bin/python3 bench/bench.py --build $(BUILD)

install: build
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) ninja -C $(BUILD) install

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) $(SANITIZED)
