#!/usr/bin/env bash
# Apache Kafka on loopback ports, one or more nodes. Each is broker and controller in one (KRaft);
# 2.8.2 is older than that and comes with a ZooKeeper from its own jars.
#
#   kafka.sh install [--version V]                jars by Maven, once
#   kafka.sh clients-jar [--version V]            prints the path of Kafka's own client library
#   kafka.sh tool NAME [--version V] -- ARGS      one of Kafka's own programs: ConsoleProducer,
#                                                 ConsoleConsumer, VerifiableProducer,
#                                                 VerifiableConsumer
#   kafka.sh start [--version V] [--zookeeper] [--nodes N] [--port P] [--set KEY=VALUE]...
#                                                 prints host:port,host:port,...
#   kafka.sh stop [--port P]                      kills and removes everything (default: all clusters)
#   kafka.sh status
#   kafka.sh version --port P                     the version that runs there
#   kafka.sh kill I --port P                      kill -9 of node I (from 1)
#   kafka.sh term I --port P                      asks node I to leave in order, and waits
#   kafka.sh freeze I | thaw I --port P           SIGSTOP, SIGCONT
#   kafka.sh boot I --port P                      starts node I again and waits until it serves
#
# A cluster is known by its first port P (9092): node I listens on P+I-1, its controller on P+50+I-1,
# a ZooKeeper on P+50. Versions: 2.8.2, 3.9.2 and 4.4.0 (the default); --zookeeper runs 3.9.2 with one.
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
NEWEST=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$HERE/kafka/pom.xml")
VERSIONS=(2.8.2 3.9.2 "$NEWEST")
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tern
RUNS=$CACHE/kafka-run
JAVA_OPTIONS=${TERN_KAFKA_JAVA_OPTIONS:--Xmx400m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}
STARTED='Kafka Server started|\[KafkaServer id=[0-9]+\] started'
LOG_OPTIONS=(-Dorg.slf4j.simpleLogger.showDateTime=true
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")

die() { echo "kafka.sh: $*" >&2; exit 1; }

choose() {
  VERSION=$1
  LIB=$CACHE/kafka-$VERSION/lib
  # Anything below 3 knows no other way.
  if [[ $VERSION == 2.* ]]; then ZOOKEEPER=1; fi
}

# Kafka's programs, where the broker's jars do not have them. Those of 4.4.0 are not published: the
# ones of 4.3.1 stand in for them, with the Java client of 4.3.1.
install_tools() {
  local folder=$LIB/../tools version=$VERSION artifacts=(kafka-tools) artifact
  [[ -e $folder/.complete ]] && return 0
  [[ $VERSION == 2.* ]] || artifacts+=(kafka-tools-api)
  if [[ $VERSION == 4.4.0 ]]; then
    version=4.3.1
    artifacts+=(kafka-clients kafka-server-common)
  fi
  rm -rf "$folder"
  mkdir -p "$folder"
  for artifact in "${artifacts[@]}"; do
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy \
      -Dartifact="org.apache.kafka:$artifact:$version" -DoutputDirectory="$folder" >&2
  done
  touch "$folder/.complete"
}

# tool NAME ARGS...
tool() {
  local name=$1 class=org.apache.kafka.tools.$1
  shift
  install
  case $name-$VERSION in
    ConsoleProducer-4.* | VerifiableProducer-* | VerifiableConsumer-*) ;;
    ConsoleConsumer-[34].*) class=org.apache.kafka.tools.consumer.$name ;;
    ConsoleProducer-* | ConsoleConsumer-*) class=kafka.tools.$name ;;
    *) die "no tool '$name'; see the head of this file" ;;
  esac
  exec java -Xmx200m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$LIB/../tools/*:$LIB/*" "$class" "$@"
}

install() {
  install_broker
  install_tools
}

install_broker() {
  [[ -e $LIB/.complete ]] && return 0
  command -v mvn >/dev/null || die "needs Maven: ./dev brokers installs it"
  rm -rf "$LIB"
  mkdir -p "$LIB"
  echo "kafka.sh: getting Apache Kafka $VERSION" >&2
  mvn -B -q -f "$HERE/kafka/pom.xml" -Dkafka.version="$VERSION" -DoutputDirectory="$LIB" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >&2
  [[ -e $LIB/kafka_2.13-$VERSION.jar ]] || die "the broker's jar did not come"
  touch "$LIB/.complete"
}

clients_jar() {
  install
  echo "$LIB/kafka-clients-$VERSION.jar"
}

# The two ways to be a node of a cluster. Each also has a dead node noticed in seconds.
kraft_properties() {
  local node=$1 voters=() i
  for ((i = 1; i <= NODES; i++)); do voters+=("$i@127.0.0.1:$((PORT + 49 + i))"); done
  cat <<EOF
process.roles=broker,controller
node.id=$node
controller.quorum.voters=$(IFS=,; echo "${voters[*]}")
listeners=PLAINTEXT://127.0.0.1:$((PORT + node - 1)),CONTROLLER://127.0.0.1:$((PORT + 49 + node))
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1500
EOF
}

zookeeper_node_properties() {
  cat <<EOF
broker.id=$1
zookeeper.connect=127.0.0.1:$((PORT + 50))
zookeeper.session.timeout.ms=3000
listeners=PLAINTEXT://127.0.0.1:$((PORT + $1 - 1))
EOF
}

zookeeper_properties() {
  cat <<EOF
clientPort=$((PORT + 50))
clientPortAddress=127.0.0.1
dataDir=$RUN/zookeeper/data
admin.enableServer=false
tickTime=500
maxClientCnxns=0
EOF
}

# properties NODE: the configuration of one node.
properties() {
  local node=$1 replicas=$NODES minimum=1 entry
  if ((replicas > 3)); then replicas=3; fi
  if ((replicas == 3)); then minimum=2; fi
  if [[ $ZOOKEEPER == 1 ]]; then zookeeper_node_properties "$node"; else kraft_properties "$node"; fi
  cat <<EOF
advertised.listeners=PLAINTEXT://127.0.0.1:$((PORT + node - 1))
log.dirs=$RUN/$node/data
default.replication.factor=$replicas
min.insync.replicas=$minimum
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$minimum
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
replica.lag.time.max.ms=4000
# Tests write records with times of long ago.
log.retention.ms=-1
# Small, as several nodes share two cores and little memory.
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
EOF
  if [[ $VERSION == 4.* ]]; then
    cat <<EOF
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$minimum
share.coordinator.state.topic.num.partitions=4
EOF
  fi
  for entry in "${SETTINGS[@]}"; do echo "$entry"; done
}

load_cluster() {
  RUN=$RUNS/$PORT
  [[ -e $RUN/nodes ]] || die "no cluster on port $PORT"
  NODES=$(<"$RUN/nodes")
  if [[ -e $RUN/zookeeper ]]; then ZOOKEEPER=1; fi
  choose "$(<"$RUN/version")"
}

# The process of a node, if it lives; a number that went to another program does not count.
process() {
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$1/server.properties" || return 1
  echo "$pid"
}

# Whether a process launched a moment ago has ended. Until it is Java, process() does not know it.
ended() { ! kill -0 "$(<"$1/pid")" 2>/dev/null; }

# launch_java FOLDER MAIN: runs a class with the properties in that folder.
launch_java() {
  local folder=$1
  if process "$folder" >/dev/null; then return 0; fi
  [[ -e $folder/log ]] && mv "$folder/log" "$folder/log.before"
  # shellcheck disable=SC2086
  setsid java $JAVA_OPTIONS "${LOG_OPTIONS[@]}" -cp "$LIB/*" "$2" \
    "$folder/server.properties" >"$folder/log" 2>&1 </dev/null &
  echo $! >"$folder/pid"
}

launch() { launch_java "$RUN/$1" kafka.Kafka; }

# wait_for FOLDER PATTERN NAME: until the log of that process says so.
wait_for() {
  local folder=$1 deadline=$((SECONDS + 90))
  until grep -qsE "$2" "$folder/log"; do
    if ended "$folder"; then
      tail -n 30 "$folder/log" >&2
      die "$3 on port $PORT died; log above"
    fi
    ((SECONDS < deadline)) || die "$3 does not serve after 90 s: $folder/log"
    sleep 0.1
  done
}

ensure_zookeeper() {
  [[ $ZOOKEEPER == 1 ]] || return 0
  launch_java "$RUN/zookeeper" org.apache.zookeeper.server.quorum.QuorumPeerMain
  wait_for "$RUN/zookeeper" 'binding to port' ZooKeeper
}

# A node that was killed has to wait until ZooKeeper has forgotten it, and dies if it does not.
outlive_old_session() {
  local tries
  [[ $ZOOKEEPER == 1 ]] || return 0
  for ((tries = 0; tries < 20; tries++)); do
    until grep -qsE "NodeExistsException|$STARTED" "$RUN/$1/log"; do
      if ended "$RUN/$1"; then break; fi
      sleep 0.1
    done
    grep -qs NodeExistsException "$RUN/$1/log" || return 0
    end_process "$RUN/$1"
    sleep 0.5
    launch "$1"
  done
}

wait_until_serving() {
  outlive_old_session "$1"
  wait_for "$RUN/$1" "$STARTED" "node $1"
}

start() {
  install
  [[ -e $RUNS/$PORT/nodes ]] && stop_cluster "$PORT"
  RUN=$RUNS/$PORT
  rm -rf "$RUN"
  mkdir -p "$RUN"
  echo "$NODES" >"$RUN/nodes"
  echo "$VERSION" >"$RUN/version"
  local i identity formats=() brokers=()
  identity=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
  [[ $identity == -* ]] && identity=A${identity:1}
  for ((i = 1; i <= NODES; i++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$((PORT + i - 1))") 2>/dev/null; then
      rm -rf "$RUN"
      die "port $((PORT + i - 1)) is taken"
    fi
    mkdir -p "$RUN/$i"
    properties "$i" >"$RUN/$i/server.properties"
    brokers+=("127.0.0.1:$((PORT + i - 1))")
    [[ $ZOOKEEPER == 1 ]] && continue
    java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$LIB/*" kafka.tools.StorageTool \
      format -t "$identity" -c "$RUN/$i/server.properties" \
      >"$RUN/$i/format.log" 2>&1 &
    formats+=($!)
  done
  for i in "${!formats[@]}"; do
    wait "${formats[$i]}" || { cat "$RUN/$((i + 1))/format.log" >&2; die "format failed"; }
  done
  if [[ $ZOOKEEPER == 1 ]]; then
    mkdir -p "$RUN/zookeeper"
    zookeeper_properties >"$RUN/zookeeper/server.properties"
    ensure_zookeeper
  fi
  for ((i = 1; i <= NODES; i++)); do launch "$i"; done
  for ((i = 1; i <= NODES; i++)); do wait_until_serving "$i"; done
  (IFS=,; echo "${brokers[*]}")
}

end_process() {
  local pid
  pid=$(process "$1") || return 0
  kill -9 "$pid" 2>/dev/null || true
  while process "$1" >/dev/null; do sleep 0.05; done
}

stop_cluster() {
  local folder
  for folder in "$RUNS/$1"/*/; do end_process "${folder%/}"; done
  rm -rf "${RUNS:?}/$1"
}

status() {
  local run node state
  for run in "$RUNS"/*/; do
    [[ -e $run/nodes ]] || continue
    PORT=$(basename "$run")
    for ((node = 1; node <= $(<"$run/nodes"); node++)); do
      state="down"
      if process "${run}$node" >/dev/null; then state="up, process $(process "${run}$node")"; fi
      echo "127.0.0.1:$((PORT + node - 1)) $(<"$run/version") node $node: $state"
    done
  done
}

NODES=1 PORT= SETTINGS=() NODE= ZOOKEEPER=0 TOOL=
choose "$NEWEST"
command=${1:-}
[[ $# -gt 0 ]] && shift
# The options may come first, so that they can be part of a command line kept in a variable.
if [[ $command == --* ]]; then
  set -- "$command" "$@"
  command=
fi
while [[ $# -gt 0 ]]; do
  case $1 in
    --nodes) NODES=${2:?--nodes wants a number} && shift ;;
    --port) PORT=${2:?--port wants a number} && shift ;;
    --version)
      [[ " ${VERSIONS[*]} " == *" ${2:-} "* ]] || die "--version wants one of ${VERSIONS[*]}"
      choose "$2"
      shift
      ;;
    --zookeeper) ZOOKEEPER=1 ;;
    --set) SETTINGS+=("${2:?--set wants KEY=VALUE}") && shift ;;
    [1-9]) NODE=$1 ;;
    --) shift && break ;;
    *)
      if [[ -z $command ]]; then
        command=$1
      elif [[ $command == tool && -z $TOOL ]]; then
        TOOL=$1
      else
        die "what is '$1'?"
      fi
      ;;
  esac
  shift
done
[[ $ZOOKEEPER == 0 || $VERSION != 4.* ]] || die "Apache Kafka 4 has no ZooKeeper"
[[ $NODES =~ ^[1-9]$ ]] || die "--nodes wants 1 to 9"
[[ -z $PORT || $PORT =~ ^[0-9]+$ ]] || die "--port wants a number"

case $command in
  stop)
    for folder in "$RUNS"/${PORT:-*}/; do
      [[ -e $folder/nodes ]] && stop_cluster "$(basename "$folder")"
    done
    exit 0
    ;;
  install | status) "$command" && exit 0 ;;
  clients-jar) clients_jar && exit 0 ;;
  tool) tool "$TOOL" "$@" ;;
esac
PORT=${PORT:-9092}
if [[ $command == start ]]; then
  start
  exit 0
fi
load_cluster
if [[ $command == version ]]; then
  echo "$VERSION"
  exit 0
fi
[[ -n $NODE && $NODE -le $NODES ]] || die "'$command' wants the number of a node, 1 to $NODES"
case $command in
  kill) end_process "$RUN/$NODE" ;;
  term)
    if pid=$(process "$RUN/$NODE"); then
      kill "$pid"
      while process "$RUN/$NODE" >/dev/null; do sleep 0.05; done
    fi
    ;;
  freeze) kill -STOP "$(process "$RUN/$NODE")" ;;
  thaw) kill -CONT "$(process "$RUN/$NODE")" ;;
  boot)
    ensure_zookeeper
    launch "$NODE"
    wait_until_serving "$NODE"
    ;;
  *) die "no command '$command'; see the head of this file" ;;
esac
