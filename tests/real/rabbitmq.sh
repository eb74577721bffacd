#!/usr/bin/env bash
# RabbitMQ (Debian's rabbitmq-server) on loopback ports, in a folder of its own.
#
#   rabbitmq.sh start [--port P] [--set KEY=VALUE]... [--plugin NAME]...
#                                                       prints host:port; KEY=VALUE as in rabbitmq.conf
#   rabbitmq.sh stop [--port P]                         kills and removes everything (default: all)
#   rabbitmq.sh status
#   rabbitmq.sh version --port P                        the version that runs there
#   rabbitmq.sh ctl --port P -- ARGS                    rabbitmqctl ARGS
#   rabbitmq.sh kill --port P                           kill -9
#   rabbitmq.sh freeze | thaw --port P                  SIGSTOP, SIGCONT
#   rabbitmq.sh boot --port P                           starts it again and waits until it serves
#
# A broker is known by its port P (5672); Erlang's own distribution listens on P+1, its port mapper
# on P+2, so that neither meets another one on this machine. User and password are guest, as always.
set -euo pipefail

# The one in /usr/sbin goes over to a user of its own, who may not write here.
BIN=/usr/lib/rabbitmq/bin
RUNS=${XDG_CACHE_HOME:-$HOME/.cache}/tern/rabbitmq-run

die() { echo "rabbitmq.sh: $*" >&2; exit 1; }

# What tells RabbitMQ and its tools which broker is meant, and keeps it out of everybody's way.
environment() {
  export HOME=$RUN RABBITMQ_NODENAME=tern$PORT@localhost
  export RABBITMQ_MNESIA_BASE=$RUN/data RABBITMQ_LOG_BASE=$RUN/log
  export RABBITMQ_NODE_PORT=$PORT RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
  export RABBITMQ_DIST_PORT=$((PORT + 1)) ERL_EPMD_PORT=$((PORT + 2)) ERL_EPMD_ADDRESS=127.0.0.1
  export RABBITMQ_PID_FILE=$RUN/pid RABBITMQ_CONFIG_FILE=$RUN/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$RUN/plugins
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
}

ctl() { "$BIN/rabbitmqctl" -q "$@"; }

# The Erlang machine of this broker, if it lives; a number that went to another program does not count.
process() {
  local pid
  pid=$(cat "$RUN/pid" 2>/dev/null) && [[ -n $pid ]] || return 0
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$RUN" || return 0
  echo "$pid"
}

launch() {
  if [[ -n $(process) ]]; then return 0; fi
  setsid "$BIN/rabbitmq-server" >"$RUN/out" 2>&1 </dev/null &
  local deadline=$((SECONDS + 90))
  until [[ -n $(process) ]] && (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
    ((SECONDS < deadline)) || { tail -n 30 "$RUN/out" >&2; die "it does not serve after 90 s"; }
    sleep 0.2
  done
  # The port is open before all of it is there.
  "$BIN/rabbitmqctl" -q --timeout 60 await_startup >/dev/null || die "it did not start: $RUN/out"
}

start() {
  [[ -x $BIN/rabbitmq-server ]] || die "needs Debian's rabbitmq-server: ./dev brokers installs it"
  [[ -e $RUN/port ]] && stop_one
  if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then die "port $PORT is taken"; fi
  mkdir -p "$RUN/data" "$RUN/log"
  echo "$PORT" >"$RUN/port"
  local IFS=,
  echo "[${PLUGINS[*]}]." >"$RUN/plugins"
  {
    echo "listeners.tcp.1 = 127.0.0.1:$PORT"
    # A tenth of the memory is too little on small machines, and nobody is to notice the disk.
    echo "disk_free_limit.absolute = 1MB"
    echo "vm_memory_high_watermark.relative = 0.6"
    printf '%s\n' "${SETTINGS[@]}"
  } >"$RUN/rabbitmq.conf"
  environment
  launch
  echo "127.0.0.1:$PORT"
}

end_process() {
  local pid
  while pid=$(process) && [[ -n $pid ]]; do
    kill -9 "$pid" 2>/dev/null || true
    sleep 0.1
  done
}

stop_one() {
  end_process
  # The port mapper of this broker, which outlives it.
  epmd -port $((PORT + 2)) -kill >/dev/null 2>&1 || true
  rm -rf "${RUN:?}"
}

status() {
  local run
  for run in "$RUNS"/*/; do
    [[ -e $run/port ]] || continue
    PORT=$(<"$run/port")
    RUN=$RUNS/$PORT
    if [[ -n $(process) ]]; then
      echo "127.0.0.1:$PORT RabbitMQ: up, process $(process)"
    else
      echo "127.0.0.1:$PORT RabbitMQ: down"
    fi
  done
}

PORT= SETTINGS=() PLUGINS=()
command=${1:-}
[[ $# -gt 0 ]] && shift
while [[ $# -gt 0 ]]; do
  case $1 in
    --port) PORT=${2:?--port wants a number} && shift ;;
    --set) SETTINGS+=("${2:?--set wants KEY=VALUE}") && shift ;;
    --plugin) PLUGINS+=("${2:?--plugin wants a name}") && shift ;;
    --) shift && break ;;
    *) die "what is '$1'?" ;;
  esac
  shift
done
[[ -z $PORT || $PORT =~ ^[0-9]+$ ]] || die "--port wants a number"

case $command in
  status) status && exit 0 ;;
  stop)
    for folder in "$RUNS"/${PORT:-*}/; do
      [[ -e $folder/port ]] || continue
      PORT=$(<"$folder/port")
      RUN=$RUNS/$PORT
      stop_one
    done
    exit 0
    ;;
esac
PORT=${PORT:-5672}
RUN=$RUNS/$PORT
if [[ $command == start ]]; then
  start
  exit 0
fi
[[ -e $RUN/port ]] || die "no broker on port $PORT"
environment
case $command in
  version) ctl version ;;
  ctl) ctl "$@" ;;
  kill) end_process ;;
  freeze) kill -STOP "$(process)" ;;
  thaw) kill -CONT "$(process)" ;;
  boot) launch ;;
  *) die "no command '$command'; see the head of this file" ;;
esac
