# vecidx: `make demo` and `make check` do everything on a fresh Debian machine; `make && make install &&
# make installcheck` works as Postgres people expect.
EXTENSION = vecidx
EXTVERSION = 0.1.0
MODULE_big = vecidx
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql

SOURCES = $(sort $(wildcard src/core/*.cpp src/simd/*.cpp src/pg/*.cpp src/storage/*.cpp src/am/*.cpp src/types/*.cpp))
OBJS = $(SOURCES:.cpp=.o)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
INCLUDEDIR_SERVER := $(shell $(PG_CONFIG) --includedir-server)

override with_llvm = no
PG_CXXFLAGS = -std=c++20 -O3 -fno-exceptions -fno-rtti -fvisibility=hidden -Wall -Wextra -Wshadow -MMD -MP
PG_CPPFLAGS = -Iinclude -Isrc -isystem $(INCLUDEDIR_SERVER)
SHLIB_LINK += -lstdc++

EXTRA_CLEAN = $(SOURCES:.cpp=.d) sql/$(EXTENSION)--$(EXTVERSION).sql

include $(PGXS)

# Each SIMD level is one file with its own flags; the level is chosen at load (src/simd/dispatch.cpp).
ifneq (,$(filter x86_64 amd64,$(host_cpu)))
src/simd/avx2.o: CXXFLAGS += -mavx2 -mfma -mf16c
src/simd/avx512.o: CXXFLAGS += -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c
endif

sql/$(EXTENSION)--$(EXTVERSION).sql: sql/vecidx.sql
	cp $< $@

-include $(SOURCES:.cpp=.d)
