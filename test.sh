#!/usr/bin/env bash
# Every check there is, on a fresh Debian machine or an old one: format, lints, docs, tests, benches (smoke), fuzz targets (a minute in all).
# It installs what is missing when it may (root), and says what is missing when it may not.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

install_missing() {
  local wanted=("$@")
  [ "${#wanted[@]}" -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ] || ! have apt-get; then
    printf 'missing and not installable from here: %s\n' "${wanted[*]}" >&2
    return 1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
}

step "what the tests need"
missing=()
{ have cc && have c++; } || missing+=(build-essential)
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
{ [ -n "$pg_bin" ] || have initdb; } || missing+=(postgresql)
have psql || missing+=(postgresql-client)
have python3 || missing+=(python3)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
have chromedriver || missing+=(chromium chromium-driver)
install_missing "${missing[@]}"
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
[ -n "$pg_bin" ] && PATH="$PATH:$pg_bin"
cargo --version

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets -- -D warnings

step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

step "PostgreSQL for the stores' tests"
scratch=$(mktemp -d)
postgres_pid=""
finish() {
  if [ -n "$postgres_pid" ]; then kill "$postgres_pid" 2>/dev/null || true; wait "$postgres_pid" 2>/dev/null || true; fi
  rm -rf "$scratch"
}
trap finish EXIT
start_postgres() {
  local as=() port
  mkdir -p "$scratch/pg/socket"
  # PostgreSQL refuses to run as root.
  if [ "$(id -u)" -eq 0 ]; then
    id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
    chmod 711 "$scratch"
    chown -R postgres "$scratch/pg"
    as=(setpriv --reuid postgres --regid "$(id -g postgres)" --clear-groups --)
  fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  (cd "$scratch/pg" && "${as[@]}" initdb -D "$scratch/pg/data" -U postgres --auth=trust --no-sync -E UTF8 >"$scratch/pg-init.log" 2>&1)
  (cd "$scratch/pg" && exec "${as[@]}" postgres -D "$scratch/pg/data" -p "$port" -k "$scratch/pg/socket" \
    -c listen_addresses=127.0.0.1 >"$scratch/pg.log" 2>&1) &
  postgres_pid=$!
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$postgres_pid" || { cat "$scratch/pg.log"; return 1; }
    python3 -c 'import time; time.sleep(0.1)'
  done
  export SWITCHYARD_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
  printf 'listening on 127.0.0.1:%s\n' "$port"
}
start_postgres

step "tests"
cargo build --workspace --bins --quiet
cargo test --workspace --no-fail-fast 2>&1 | tee "$scratch/tests.log"

step "the slow side on PostgreSQL"
slow_side=(users vault recurring invoices gateway samples clients_in_use)
# Of the whole workspace, as all that cargo builds here: of one package alone, the libraries' features are others, and all are built again.
SWITCHYARD_TESTS_ON_POSTGRES=1 cargo test --workspace --no-fail-fast "${slow_side[@]/#/--test=}" 2>&1 | tee -a "$scratch/tests.log"

step "the interface against its own description"
tests/interface/check 30

step "benches, each once"
criterion=(codec journal routing rules shard)
cargo build --release --workspace --bins --quiet
built=${CARGO_TARGET_DIR:-target}/release
cargo bench --workspace --profile dev --quiet "${criterion[@]/#/--bench=}" -- --test
"$built/side-by-side" --smoke
"$built/scale" --smoke
# A figure and no check: it needs valgrind, which not every machine can have.
have callgrind_control || install_missing valgrind || true
"$built/instructions" || printf 'instructions could not be counted here\n'

step "simulated worlds, fresh seeds, each twice"
"$built/simulate" --seeds 40 --twice

step "fuzz targets, a minute in all"
./fuzz/smoke 60

awk '/^test result:/ { passed += $4; failed += $6 } END { printf "\n%d passed, %d failed\n", passed, failed; exit failed != 0 }' "$scratch/tests.log"
