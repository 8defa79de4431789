# distilbert -- build, install and test with PGXS.
#
#   make                 the extension
#   make install         into the server that pg_config names
#   make demo            build, install, show the main job on a private server
#   make picture         doc/demo.svg, the terminal's picture, from make demo's output
#   make check           all tests; closes with "N passed, N failed"
#   make nightly         what takes longer: sqlsmith, sessions, TSan, Valgrind, fuzzing
#   make check-core      unit tests of the core alone, no server
#   make check-core SANITIZE=1   the same under ASan and UBSan (thread: TSan)
#   make fuzz            all fuzz targets, by clang's libFuzzer (SECONDS=60 each)
#   make bench           SQL against the engine and a client (QUICK=1: some minutes)
#   make bench-pipelines what pipelines cost, beside the bars (QUICK=1: a few minutes)
#   make bench-static    static embeddings against their teacher
#   make bench-nodes     a table on one to three servers (QUICK=1: a minute)
#   make bench-kernels   GFLOP/s of every table of kernels
#   make bench-translate translation against CTranslate2 (QUICK=1: fewer rounds)
#   make bench-peers     encoder and tokenizer against others (QUICK=1: some minutes)
#
# Another folder can be built in, too, as PGXS has it: make -f /path/Makefile, or
# make VPATH=/path with a link to the Makefile.  Tests of this: test/build.sh.

# Where the sources are, with a slash at the end.
here       := $(if $(VPATH),$(VPATH)/,$(dir $(firstword $(MAKEFILE_LIST))))

ifneq ($(filter check nightly demo picture,$(MAKECMDGOALS)),)
# These install what is missing, PGXS included, and then call make again.
.PHONY: check nightly demo picture
check nightly demo:
	@bash '$(here)test/$@.sh'
picture:
	@output=$$(bash '$(here)test/demo.sh') && \
		printf '%s\n' "$$output" | python3 '$(here)test/picture.py' '$(here)doc/demo.svg'
else

EXTENSION   = distilbert
MODULE_big  = distilbert
PGFILEDESC  = "distilbert - transformer encoders inside PostgreSQL"

# The control file is the source of truth for the version.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(here)distilbert.control)

# Install scripts carry "--" in their names; every other file in sql/ is a test.
DATA        = $(patsubst $(here)%,%,$(wildcard $(here)sql/*--*--*.sql))
DATA_built  = sql/$(EXTENSION)--$(EXTVERSION).sql
# without docdir PGXS installs none, and would remove them from the root
DOCS        = $(if $(docdir),$(patsubst $(here)%,%,$(wildcard $(here)doc/*.md)))
# What is run on other machines: sends them a model's directory.
CLIENTS     = $(patsubst $(here)%,%,$(wildcard $(here)client/*))
REGRESS     = $(filter-out $(EXTENSION) $(EXTENSION)--%,$(basename $(notdir $(sort $(wildcard $(here)sql/*.sql)))))
REGRESS_OPTS = --encoding=UTF8

# What the server's development files say.  Without them nothing can be built,
# and no path is known to install to or to remove.
PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
get_it     = Install the package postgresql-server-dev-NN (Debian, Ubuntu) or postgresqlNN-devel (Red Hat, SUSE), \
  where NN is the version of the server, or name another: make PG_CONFIG=/path/to/pg_config
ifeq ($(PGXS),)
$(error "$(PG_CONFIG)" does not run.  $(get_it))
endif
ifeq ($(wildcard $(PGXS)),)
$(error There is no "$(PGXS)", which $(PG_CONFIG) names.  $(get_it))
endif
ifeq ($(wildcard $(shell $(PG_CONFIG) --includedir-server)/postgres.h),)
$(error The headers of the server that $(PG_CONFIG) names are not there.  $(get_it))
endif

# The machine is what the compiler builds for.  PGXS, which sets CC unless the
# command line does, comes later.
TARGET    := $(shell $(if $(findstring command,$(origin CC)),$(CC),$$($(PG_CONFIG) --cc)) -dumpmachine)
machine_of = $(patsubst aarch64,arm,$(patsubst arm64,arm,$(patsubst amd64,x86,$(patsubst x86_64,x86,$(1)))))
MACHINE   := $(call machine_of,$(firstword $(subst -, ,$(TARGET))))
ifeq ($(wildcard $(here)src/kernel/$(MACHINE)/flags.mk),)
MACHINE   := other
endif

ROOMS     = base kernel kernel/$(MACHINE) text model nn task train
CORE_SRC := $(filter-out %/peak_$(MACHINE).c,$(foreach room,$(ROOMS), \
              $(patsubst $(here)%,%,$(sort $(wildcard $(here)src/$(room)/*.c)))))
PEAK      = src/kernel/$(MACHINE)/peak_$(MACHINE).o
PG_ROOMS  = bridge stats store run func scan eval train pipe node
PG_SRC   := $(patsubst $(here)%,%,$(sort $(wildcard $(here)src/pg/*.c)) \
              $(foreach room,$(PG_ROOMS),$(sort $(wildcard $(here)src/pg/$(room)/*.c))))
CORE      = $(CORE_SRC:.c=.o)
OBJS      = $(CORE) $(PG_SRC:.c=.o)

# Bitcode would be compiled without the per-file flags below, and the JIT has
# nothing to inline here.  (A plain "with_llvm = no" is overwritten by
# Makefile.global; hence override.)
override with_llvm = no

# -ldl, -lm: dlopen of OpenBLAS (never linked: loading it would start threads), erff.
CORE_LIBS   = -lutf8proc -ljansson -lm -ldl -lpthread
SHLIB_LINK  = $(CORE_LIBS)

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS  += -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -MMD -MP
PG_CFLAGS  += $(PERMIT_DECLARATION_AFTER_STATEMENT) $(WERROR)
# a * b + c is rounded twice where we write it so, on every machine: gcc fuses it
# by default where the machine can
PG_CFLAGS  += -ffp-contract=off
ifneq ($(findstring clang,$(CC)),)
# the server's own flags and headers were configured for gcc
PG_CFLAGS  += -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes
endif
CORE_OPT    = -O3
$(CORE): override CFLAGS += $(CORE_OPT) -fvisibility=hidden $(CFLAGS_ISA)

# What the compiler may use in which of the machine's files: CFLAGS_ISA.
include $(here)src/kernel/$(MACHINE)/flags.mk

# test/support/ is what several tests share; each test program links all of it.
TESTS      := $(patsubst $(here)%.c,%,$(sort $(wildcard $(here)test/test_*.c)))
SUPPORT    := $(patsubst $(here)%.c,%.o,$(sort $(wildcard $(here)test/support/*.c)))

# Targets of fuzzing: a function each, to be linked with what calls it.
FUZZ_SRC   := $(patsubst $(here)%,%,$(sort $(wildcard $(here)test/fuzz/fuzz_*.c)))
FUZZERS    := $(basename $(FUZZ_SRC))
FUZZ_HELP   = test/fuzz/fuzzhelp.o

# Programs that time the objects that ship; see the head of each.
BENCHES     = bench/kernels bench/encode bench/tokens bench/translate

# What is compiled beside the extension; all objects, and what each depends on.
MORE_OBJS   = $(TESTS:=.o) $(SUPPORT) $(BENCHES:=.o) $(PEAK)
DEPENDS     = $(patsubst %.o,%.d,$(OBJS) $(MORE_OBJS))
# and those of files that were renamed, or of another machine
EXTRA_CLEAN = $(wildcard $(addsuffix /*.[od],src/* src/*/* test test/* bench)) $(TESTS) $(BENCHES) build

all: $(DATA_built)

include $(PGXS)
-include $(DEPENDS)

# A build in another folder: the sources are found where they are, but nothing
# that a build in their tree has left there; the folders of objects are made.
srcdir     := $(srcdir)
override VPATH =
vpath %.c $(srcdir)
vpath %.control $(srcdir)
FOLDERS     = $(sort $(dir $(OBJS) $(MORE_OBJS) $(DATA_built)))
$(OBJS) $(MORE_OBJS) $(DATA_built): | $(FOLDERS)
$(FOLDERS):
	@$(MKDIR_P) $@

# The pages' names are common words: a folder of their own.
docmoduledir = extension/$(EXTENSION)

$(DATA_built): $(srcdir)/sql/$(EXTENSION).sql
	cp $< $@

# Models that ship: the folders of models/ that are Hugging Face directories.
# The server finds them by name; see src/pg/store/builtin.h.
MODELS     := $(patsubst $(here)models/%/config.json,%,$(sort $(wildcard $(here)models/*/config.json)))
modelsdir   = $(call set,datadir)/$(EXTENSION)/models

# The value of a variable that is part of a path, which must not be empty: what
# is removed below it would lie elsewhere.
set         = $(or $(strip $($(1))),$(error $(1) is not set: nothing is installed or removed))
$(foreach variable,EXTENSION EXTVERSION datadir pkglibdir,$(if $(call set,$(variable)),))

install: install-models install-clients
uninstall: uninstall-models uninstall-docs uninstall-clients

install-models:
	@set -e; for m in $(MODELS); do \
		from='$(srcdir)'/models/$$m; to='$(DESTDIR)$(call set,modelsdir)'/$$m; \
		(cd "$$from" && find . -type f \( -name '*.json' -o -name '*.txt' -o -name '*.safetensors' \)) | \
		while read -r f; do \
			$(MKDIR_P) "$$to/$$(dirname "$$f")" && $(INSTALL_DATA) "$$from/$$f" "$$to/$$f"; \
		done; echo "installed model $$m"; \
	done
	$(INSTALL_DATA) '$(srcdir)/models/NOTICE' '$(DESTDIR)$(call set,modelsdir)/NOTICE'

uninstall-models:
	rm -rf $(foreach m,$(MODELS) NOTICE,'$(DESTDIR)$(call set,modelsdir)/$(m)')

# PGXS would remove doc/doc/*.md.
uninstall-docs:
	$(if $(docdir),rm -rf '$(DESTDIR)$(docdir)/$(call set,docmoduledir)')

# PGXS would look for them in a folder of the same name when it removes them.
install-clients:
	$(MKDIR_P) '$(DESTDIR)$(call set,bindir)'
	$(INSTALL_SCRIPT) $(addprefix '$(srcdir)'/,$(CLIENTS)) '$(DESTDIR)$(call set,bindir)/'

uninstall-clients:
	rm -f $(foreach c,$(notdir $(CLIENTS)),'$(DESTDIR)$(call set,bindir)/$(c)')

.PHONY: install-models uninstall-models uninstall-docs install-clients uninstall-clients

# The unit tests link the very objects that ship; SANITIZE=1 compiles the same
# sources again under build/san, SANITIZE=thread under build/tsan.
ifeq ($(SANITIZE),)
TEST_OBJS  = $(CORE)
TEST_BIN   = $(TESTS)
$(TESTS): %: %.o $(SUPPORT) $(CORE)
	$(CC) $(filter-out -fvisibility=hidden,$(CFLAGS)) $< $(SUPPORT) $(CORE) -o $@ $(CORE_LIBS)
else
# The kernels are worth -O2: the tests spend their time there, and it halves it.
SAN_OPT    = -O1
ifeq ($(SANITIZE),thread)
SAN_AT     = build/tsan
SAN        = -g -fsanitize=thread
else
SAN_AT     = build/san
SAN        = -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
TEST_BIN   = $(addprefix $(SAN_AT)/,$(TESTS) $(FUZZERS))
$(SAN_AT)/src/kernel/%: SAN_OPT = -O2
$(SAN_AT)/%.o: %.c
	@$(MKDIR_P) $(@D)
	$(CC) -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare $(SAN_OPT) $(SAN) $(CFLAGS_ISA) -ffp-contract=off -MMD -MP -I$(srcdir)/src -I$(srcdir) -c $< -o $@
# the targets of fuzzing run over their kept inputs
$(addprefix $(SAN_AT)/,$(FUZZERS)): $(addprefix $(SAN_AT)/,test/fuzz/replay.o $(FUZZ_HELP))
$(TEST_BIN): %: %.o $(addprefix $(SAN_AT)/,$(SUPPORT) $(CORE))
	$(CC) $(SAN) $^ -o $@ $(CORE_LIBS)
-include $(patsubst %.o,$(SAN_AT)/%.d,$(CORE) $(SUPPORT) $(TESTS:=.o))
endif

# Each program prints "# N passed, N failed"; a failure of one does not hide the
# others.  They read files beside the sources.
check-core: $(TEST_BIN)
	@cd '$(srcdir)' && bash test/sidebyside.sh -- $(addprefix '$(CURDIR)'/,$(TEST_BIN))

# Fuzzing: the same sources again, by clang, under build/fuzz, with the flags
# that each file has.  What fails is kept in build/fuzz/found.
FUZZ_CC     = clang
SECONDS     = 60
FUZZ_FLAGS  = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_SEES   = $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link
FUZZ_BIN    = $(addprefix build/fuzz/,$(FUZZERS))
# The targets compute by the scalar kernels.  Instrumented, the others take the
# compiler some gigabytes each.
build/fuzz/src/kernel/$(MACHINE)/%.o: FUZZ_SEES = -O1
build/fuzz/%.o: %.c
	@$(MKDIR_P) $(@D)
	$(FUZZ_CC) -std=gnu99 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare $(FUZZ_SEES) $(CFLAGS_ISA) -ffp-contract=off -MMD -MP -I$(srcdir)/src -I$(srcdir) -c $< -o $@
$(FUZZ_BIN): %: %.o $(addprefix build/fuzz/,$(FUZZ_HELP) $(SUPPORT) $(CORE))
	$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer $^ -o $@ $(CORE_LIBS)
-include $(patsubst %.o,build/fuzz/%.d,$(CORE) $(SUPPORT) $(FUZZ_HELP) $(FUZZERS:=.o))

fuzz: $(FUZZ_BIN)
	@cd '$(srcdir)' && SECONDS_EACH=$(SECONDS) JOBS=$${JOBS:-$$(nproc)} FUZZ_AT='$(CURDIR)/build/fuzz' \
		bash test/sidebyside.sh bash test/fuzz/fuzz.sh -- $(notdir $(FUZZERS))

benches: $(BENCHES)
$(BENCHES): %: %.o test/support/dirsource.o $(PEAK) $(CORE)
	$(CC) $(filter-out -fvisibility=hidden,$(CFLAGS)) $< test/support/dirsource.o $(PEAK) $(CORE) -o $@ $(CORE_LIBS)

# Queries on a private server, against the engine and a client.
bench:
	@bash bench/query.sh

# What pipelines cost, each figure beside its bar.
bench-pipelines:
	@bash bench/pipelines.sh

# Static embeddings against all-MiniLM-L6-v2, of PyPI
bench-static:
	@bash bench/static.sh

# A table on one to three servers of this machine.
bench-nodes:
	@bash bench/nodes.sh

bench-kernels: bench/kernels
	bench/kernels

# What others need for the same; the first run makes a virtual environment.
bench-peers: $(BENCHES)
	python3 bench/peers.py $(if $(QUICK),--quick)

bench-translate: $(BENCHES)
	python3 bench/translate.py $(if $(QUICK),--quick)

.PHONY: check-core fuzz bench benches bench-pipelines bench-static bench-nodes bench-kernels bench-peers bench-translate

endif
