#!/usr/bin/env bash
# Copies sources of the engine and plants bugs in the copies, each behind `planted_bug == N`: the tests of
# the tests. Usage: plant_bugs.sh OUT_DIR FILE... Fails if the code to be spoilt is not found any more;
# then whoever changed it moves the bug to where it belongs now.
set -euo pipefail
out=$1
shift
mkdir -p "$out"
for file in "$@"; do
  name=$(basename "$file")
  { echo "namespace tern::sim { extern int planted_bug; }"; cat "$file"; } >"$out/$name"
done

# plant FILE OLD NEW: OLD is there exactly once.
plant() {
  local path=$out/$1 content
  content=$(<"$path")
  local without=${content//"$2"/}
  if ((${#content} - ${#without} != ${#2})); then
    echo "plant_bugs.sh: $1 does not have, exactly once: $2" >&2
    exit 1
  fi
  content=${content/"$2"/"$3"}
  printf '%s\n' "$content" >"$path"
}
bug() { echo "tern::sim::planted_bug == $1"; }

# 1: a batch that is tried again gets another sequence, so the broker takes it for another one.
plant sender.cc "  put_back(batch);
  if (queue.listed) {" "  if ($(bug 1)) batch.base_sequence = kNoSequence;
  put_back(batch);
  if (queue.listed) {"
# 2: every failure is called certain.
plant sender.cc "report(batch, -1, -1, make_error_code(certainty), cause)" \
  "report(batch, -1, -1, make_error_code($(bug 2) ? ClientErrc::not_written : certainty), cause)"
# 3: a refusal is taken for success.
plant sender.cc "  if (error == BrokerErrc::none) {" \
  "  if (error == BrokerErrc::none || ($(bug 3) && error == BrokerErrc::not_enough_replicas)) {"
# 4: the first batches of a producer id are not sent one at a time.
plant sender.cc "if (!queue.id_known && queue.in_flight > 0) return false;" \
  "if (!($(bug 4)) && !queue.id_known && queue.in_flight > 0) return false;"
# 5: a batch that fails is not told.
plant sender.cc "if (!batch.reported) report(batch, -1, -1" \
  "if ($(bug 5) && !batch.reported) {
    batch.handlers.clear(accumulator_.pool());
    accumulator_.retire(batch);
  } else if (!batch.reported) report(batch, -1, -1"
# 6: memory of a batch that failed is not given back.
plant sender.cc "cause);
  accumulator_.free_batch(&batch);" "cause);
  if (!($(bug 6))) accumulator_.free_batch(&batch);"
# 7: a new leader is used while the old one still has a batch.
plant sender.cc "if (elsewhere && " "if (!($(bug 7)) && elsewhere && "
# 8: an answer to a fetch from before a seek is taken.
plant fetcher.cc "          partition->sent.version != partition->version ||
          partition->sent.offset != partition->fetch_offset) {" \
  "(!($(bug 8)) && (partition->sent.version != partition->version ||
                        partition->sent.offset != partition->fetch_offset))) {"
# 9: a record is skipped when a fetch has to be tried again.
plant fetcher.cc "  partition.not_before = deadline_after(now.mono, partition.backoff.next(engine_.random()));
  engine_.cluster().refresh(now);" "  if ($(bug 9)) ++partition.fetch_offset;
  partition.not_before = deadline_after(now.mono, partition.backoff.next(engine_.random()));
  engine_.cluster().refresh(now);"
# 10: whoever asks for fresh metadata wakes the engine, each time.
plant cluster.cc "  if (when >= timer_.when()) return;
  timer_.set(when);" "  if (when >= timer_.when() && !($(bug 10))) return;
  if (when < timer_.when()) timer_.set(when);"
# 11: after a failure metadata is taken to be on its way for ever.
plant cluster.cc "  refreshing_ = false;" "  if (!($(bug 11)) || !why) refreshing_ = false;"
# 12: the memory of a batch whose time is up is used again although it is still being written.
plant producer_core.cc "  batch.reported = true;" "  batch.reported = true;
  if ($(bug 12)) accumulator_.free_bytes(batch);"
# 13: what was handed out is stored, finished or not.
plant consumer_group_offsets.cc "  home_->unfinished(*partition.gauge, out.offset, out.leader_epoch);" \
  "  if (!($(bug 13))) home_->unfinished(*partition.gauge, out.offset, out.leader_epoch);"
# 14: a member that was put out keeps what it has.
plant classic_membership.cc "  if (!owner_.owned().empty() || !owner_.settled()) owner_.lose_all(why, now);
  retry(why, now);" "  if (!($(bug 14)) && (!owner_.owned().empty() || !owner_.settled())) owner_.lose_all(why, now);
  retry(why, now);"
# 15: reading begins behind what is stored.
plant consumer_group_offsets.cc "    partition.restart(found.offset, found.leader_epoch);" \
  "    partition.restart(found.offset + ($(bug 15) ? 1 : 0), found.leader_epoch);"
# 16: a coordinator that was lost is not looked for again.
plant coordinators.cc "  engine_.cluster().coordinators().lost(Coordinators::Kind::group, group_, node_id);" \
  "  if (!($(bug 16))) engine_.cluster().coordinators().lost(Coordinators::Kind::group, group_, node_id);"
# 17: a member of the consumer protocol says that it has let go before it has.
plant modern_membership.cc "  if (state_ == State::reconciling && owner_.settled()) {" \
  "  if (state_ == State::reconciling && ($(bug 17) || owner_.settled())) {"
