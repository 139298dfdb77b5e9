# vecidx: `make demo` and `make check` do everything on a fresh Debian machine; `make && make install &&
# make installcheck` works as Postgres people expect. CONTRIBUTING.md lists all targets.

# These two run before anything is installed, so they read neither pg_config nor PGXS (which has a `check`
# of its own): a script installs what is missing and calls make again. So do goals named beside them.
SCRIPTED = $(filter check demo,$(MAKECMDGOALS))
ifneq (,$(SCRIPTED))

.PHONY: $(MAKECMDGOALS)
check:
	+@test/run
demo:
	+@bench/demo
$(filter-out check demo,$(MAKECMDGOALS)):
	+@$(MAKE) --no-print-directory $@

else

EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" vecidx.control)
EXTENSION = $(basename $(wildcard *.control))
MODULE_big = vecidx
DATA = $(wildcard sql/*--*--*.sql)
DATA_built = $(EXTENSION:%=sql/%--$(EXTVERSION).sql)

CALM_SOURCES = $(sort $(wildcard src/core/*.cpp src/simd/*.cpp))
SOURCES = $(CALM_SOURCES) $(sort $(wildcard src/pg/*.cpp src/storage/*.cpp src/am/*.cpp src/types/*.cpp))
OBJS = $(SOURCES:.cpp=.o)

WARNINGS = -Wall -Wextra -Wshadow
LIBRARY_FLAGS = -std=c++20 -O3 -fno-exceptions -fno-rtti -fvisibility=hidden $(WARNINGS) -MMD -MP
override with_llvm = no
PG_CXXFLAGS = $(LIBRARY_FLAGS)
PG_CPPFLAGS = -Iinclude -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server)
SHLIB_LINK += -lstdc++ -Wl,--version-script=src/pg/exports.map

REGRESS := $(sort $(notdir $(basename $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=vecidx
ISOLATION := $(sort $(notdir $(basename $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=vecidx
PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
# TAP tests start servers, which root must not; `make check` hands them to another user.
ifneq (0,$(shell id -u))
TAP_TESTS := $(if $(PROVE_TESTS),1)
endif

EXTRA_CLEAN = $(SOURCES:.cpp=.d) build results output_iso tmp_check log regression.diffs regression.out

PG_CONFIG ?= pg_config
# Debian's server has PGXS without the headers.
SERVER_HEADERS := $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h)
PGXS := $(if $(SERVER_HEADERS),$(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null)))
ifneq (,$(PGXS))
include $(PGXS)
PROVE_FLAGS += -I test/perl
else
all install installcheck:
	@echo "$(PG_CONFIG) finds no server headers: 'make check' installs them, or set PG_CONFIG" >&2; exit 1
clean:
	rm -rf $(OBJS) $(DATA_built) $(EXTRA_CLEAN)
endif

sql/%--$(EXTVERSION).sql: sql/%.sql
	cp $< $@

# The calm floor once more, without Postgres: what the unit tests and the benchmark programs link.
ifeq (,$(SANITIZE))
BUILD = build/release
else
BUILD = build/sanitize
SANITIZERS = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
endif
CALM_OBJS = $(CALM_SOURCES:src/%.cpp=$(BUILD)/calm/%.o)
UNIT_PROGRAMS = $(sort $(patsubst test/unit/%.cpp,$(BUILD)/unit/%,$(wildcard test/unit/*_test.cpp)))
BENCH_PROGRAMS = $(sort $(patsubst bench/%.cpp,$(BUILD)/bench/%,$(wildcard bench/*.cpp)))
DEMO_PROGRAMS = $(BUILD)/bench/generate $(BUILD)/bench/copy_binary
PROGRAM_FLAGS = -std=c++20 -O3 -g $(WARNINGS) -MMD -MP -I. -Iinclude -Isrc

$(BUILD)/calm/%.o: src/%.cpp
	@mkdir -p $(@D)
	$(CXX) $(LIBRARY_FLAGS) -g -Iinclude -Isrc $(ISA_FLAGS) $(SANITIZERS) -c $< -o $@

link = $(CXX) $(PROGRAM_FLAGS) $(SANITIZERS) $(filter %.cpp %.o,$^) -o $@

$(BUILD)/unit/%: test/unit/%.cpp $(CALM_OBJS)
	@mkdir -p $(@D)
	$(link) -lgtest_main -lgtest -pthread

$(BUILD)/bench/%: bench/%.cpp $(CALM_OBJS)
	@mkdir -p $(@D)
	$(link) -pthread

# What the demo needs stands alone.
$(DEMO_PROGRAMS): $(BUILD)/bench/%: bench/%.cpp
	@mkdir -p $(@D)
	$(link)

# Each SIMD level is one file with its own flags; the level is chosen at load (src/simd/dispatch.cpp).
ifneq (,$(filter x86_64-%,$(shell $(CXX) -dumpmachine)))
%/simd/avx2.o: ISA_FLAGS = -mavx2 -mfma -mf16c
%/simd/avx512.o: ISA_FLAGS = -mavx512f -mavx512cd -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c
src/simd/%.o: override CXXFLAGS += $(ISA_FLAGS)
endif

.PHONY: unit bench demo-programs lint format valgrind
unit: $(UNIT_PROGRAMS)
	@status=0; for program in $^; do \
		echo "$$program"; \
		"$$program" --gtest_brief=1 || { [ $$? -eq 1 ] || echo "not ok - $$program crashed"; status=1; }; \
	done; exit $$status

bench: $(BENCH_PROGRAMS)

demo-programs: $(DEMO_PROGRAMS)

lint:
	@test/lint

format:
	@test/lint --format

valgrind:
	@PG_CONFIG=$(PG_CONFIG) test/valgrind $(TESTS)

-include $(SOURCES:.cpp=.d) $(CALM_OBJS:.o=.d) $(UNIT_PROGRAMS:=.d) $(BENCH_PROGRAMS:=.d)

endif
