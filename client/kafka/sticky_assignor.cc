// The sticky assignors: members keep what they have as far as balance allows.
//
// Where all members have asked for the same topics, quotas say how many each may have (Quotas).
// Else partitions move one by one, from members with more to members with less, until no such step
// is left (Balancer).
//
// To give what the Java client gives, members are walked as its hash maps would.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "client/kafka/assignor_input.h"
#include "protocol/wire/reader.h"

namespace tern::kafka {
namespace {

constexpr auto index = AssignorInput::index;

struct Claim {
  std::vector<int> partitions;
  std::int32_t generation = -1;
};

// Who had which partition, as far as the members agree.
struct Claims {
  std::vector<Claim> of_member;
  std::vector<int> owner;      // of each partition; -1: nobody
  std::vector<bool> disputed;  // two have claimed it in one generation
  std::vector<int> earlier;    // who had it in an older generation; -1: nobody
  std::int32_t latest_generation = -1;
};

Claim sticky_claim(const AssignorInput& input, int m) {
  Claim claim;
  const auto held = decode_sticky_user_data(input.member(m).user_data);
  if (!held) return claim;
  claim.generation = held->generation;
  for (const TopicPartition& p : held->partitions) claim.partitions.push_back(input.find(p));
  return claim;
}

Claim cooperative_claim(const AssignorInput& input, int m) {
  const GroupMember& member = input.member(m);
  Claim claim;
  claim.generation = std::max(member.generation, -1);
  if (claim.generation < 0) {
    wire::Reader reader(std::span<const std::byte>(member.user_data));
    const std::int32_t told = reader.i32();
    if (reader.ok()) claim.generation = told;
  }
  for (const TopicPartition& p : member.owned) claim.partitions.push_back(input.find(p));
  return claim;
}

// Settles who owns what: the newer claim counts, and of two of one generation neither.
void settle(const AssignorInput& input, Claims& claims) {
  std::vector<int> claimant(claims.owner.size(), -1);
  for (const int m : input.java_order()) {
    const Claim& claim = claims.of_member[index(m)];
    claims.latest_generation = std::max(claims.latest_generation, claim.generation);
    for (const int p : claim.partitions) {
      const int other = claimant[index(p)];
      // As Java does: of the other, what its subscription says, not what its user data say.
      const std::int32_t generation = other < 0 ? -1 : std::max(input.member(other).generation, -1);
      if (other >= 0 && claim.generation < generation) continue;
      claimant[index(p)] = m;
      const bool dispute = other >= 0 && claim.generation == generation;
      if (dispute) claims.disputed[index(p)] = true;
      claims.owner[index(p)] = dispute ? -1 : m;
    }
  }
  std::vector<std::int32_t> generation(claims.owner.size(), -1);
  for (const int m : input.java_order()) {
    const Claim& claim = claims.of_member[index(m)];
    if (claim.generation >= claims.latest_generation) continue;
    for (const int p : claim.partitions) {
      int& earlier = claims.earlier[index(p)];
      if (earlier >= 0 && claim.generation <= generation[index(p)]) continue;
      earlier = m;
      generation[index(p)] = claim.generation;
    }
  }
}

Claims claims_of(const AssignorInput& input, Claim (*read)(const AssignorInput&, int)) {
  const std::size_t count = index(input.partitions());
  Claims claims{
      {}, std::vector<int>(count, -1), std::vector<bool>(count), std::vector<int>(count, -1)};
  for (int m = 0; m < input.members(); ++m) {
    claims.of_member.push_back(read(input, m));
    std::erase(claims.of_member.back().partitions, -1);  // there is no such partition (any more)
  }
  settle(input, claims);
  return claims;
}

class Racks {
 public:
  explicit Racks(const AssignorInput& input)
      : input_(input), in_rack_of_(index(input.partitions())) {
    std::map<int, int> readers;
    for (const int m : input.java_order()) {
      if (input.rack_of(m) >= 0) ++readers[input.rack_of(m)];
    }
    matter_ = input.racks_matter(input.java_order(), 0, input.partitions());
    if (!matter_) return;
    for (int p = 0; p < input.partitions(); ++p) {
      for (const auto& [rack, count] : readers) {
        if (input.in_rack(p, rack)) in_rack_of_[index(p)] += count;
      }
    }
  }

  bool matter() const { return matter_; }
  bool far(int m, int p) const {
    return matter_ && input_.rack_of(m) >= 0 && !input_.in_rack(p, input_.rack_of(m));
  }
  // Those that few members are near to come first.
  void sort(std::vector<int>& partitions) const {
    std::sort(partitions.begin(), partitions.end(), [this](int a, int b) {
      return std::pair(in_rack_of_[index(a)], a) < std::pair(in_rack_of_[index(b)], b);
    });
  }
  // The first member from `from` on, round the list, that is in a rack of the partition; -1: none.
  int next_near(int p, const std::vector<int>& members, std::size_t from) const {
    if (input_.replica_racks(p) == 0) return -1;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::size_t at = (from + i) % members.size();
      const int rack = input_.rack_of(members[at]);
      if (rack >= 0 && input_.in_rack(p, rack)) return static_cast<int>(at);
    }
    return -1;
  }

 private:
  const AssignorInput& input_;
  std::vector<int> in_rack_of_;  // how many members are in a rack of the partition
  bool matter_ = false;
};

// All have asked for the same: everybody gets `least_` partitions, some get one more.
class Quotas {
 public:
  Quotas(const AssignorInput& input, const Racks& racks, const Claims& claims)
      : input_(input),
        racks_(racks),
        claims_(claims),
        least_(input.partitions() / input.members()),
        with_more_(input.partitions() % input.members()),
        owner_(index(input.partitions()), -1),
        given_(index(input.members())),
        leaves_(index(input.partitions()), -1),
        moves_(index(input.partitions())) {}

  std::vector<int> assign() {
    keep_owned();
    std::vector<int> rest;
    for (int p = 0; p < input_.partitions(); ++p) {
      if (owner_[index(p)] < 0) rest.push_back(p);
    }
    std::sort(below_.begin(), below_.end());
    std::sort(at_least_.begin(), at_least_.end());
    racks_.sort(rest);
    if (racks_.matter()) give_nearby(rest);
    give_round(rest);
    return owner_;
  }
  // Partitions that have a new owner, while the one before has yet to give them up.
  const std::vector<bool>& moves() const { return moves_; }

 private:
  int most() const { return least_ + (input_.partitions() % input_.members() == 0 ? 0 : 1); }

  void keep_owned() {
    std::vector<std::vector<int>> owned(index(input_.members()));
    for (int p = 0; p < input_.partitions(); ++p) {
      const int m = claims_.owner[index(p)];
      if (m < 0) continue;
      if (racks_.far(m, p)) {
        leaves_[index(p)] = m;
      } else if (!claims_.disputed[index(p)]) {
        owned[index(m)].push_back(p);
      }
    }
    for (const int m : input_.java_order()) {
      std::vector<int>& mine = owned[index(m)];
      std::sort(mine.begin(), mine.end(),
                [this](int a, int b) { return std::pair(place(a), a) < std::pair(place(b), b); });
      const int count = static_cast<int>(mine.size());
      int keep = least_;
      if (count < least_) {
        keep = count;
        below_.push_back(m);
      } else if (count >= most() && with_more_ > 0) {
        keep = most();
        one_has_more();
      } else if (with_more_ > 0) {
        at_least_.push_back(m);
      }
      for (int i = 0; i < count; ++i) {
        const std::size_t p = index(mine[index(i)]);
        (i < keep ? owner_ : leaves_)[p] = m;
      }
      given_[index(m)] = keep;
    }
  }
  int place(int p) const { return p - input_.topic(input_.topic_of(p)).first; }

  // Nobody else may have more than `least_` once enough do.
  void one_has_more() {
    if (--with_more_ == 0) at_least_.clear();
  }

  int give(int p, int m) {
    const int before = leaves_[index(p)];
    moves_[index(p)] = (before >= 0 && before != m) || claims_.disputed[index(p)];
    owner_[index(p)] = m;
    return ++given_[index(m)];
  }

  // To members in the racks of the partitions; what could be given leaves `rest`.
  void give_nearby(std::vector<int>& rest) {
    std::size_t next = 0;
    std::erase_if(rest, [&](int p) {
      if (const int near = racks_.next_near(p, below_, next); near >= 0) {
        const int m = below_[index(near)];
        next = index(near);
        if (give(p, m) < least_) {
          ++next;
        } else {
          below_.erase(below_.begin() + near);
          if (with_more_ > 0) at_least_.push_back(m);
        }
        next = below_.empty() ? 0 : next % below_.size();
        return true;
      }
      const int near = racks_.next_near(p, at_least_, 0);
      if (near < 0) return false;
      give(p, at_least_[index(near)]);
      at_least_.erase(at_least_.begin() + near);
      one_has_more();
      return true;
    });
  }

  void give_round(const std::vector<int>& rest) {
    std::size_t next = 0, first = 0;  // in below_ and at_least_
    for (const int p : rest) {
      if (below_.empty()) {
        give(p, at_least_[first++]);
        continue;
      }
      if (next == below_.size()) next = 0;
      const int m = below_[next];
      if (give(p, m) < least_) {
        ++next;
        continue;
      }
      below_.erase(below_.begin() + static_cast<std::ptrdiff_t>(next));
      at_least_.push_back(m);
    }
  }

  const AssignorInput& input_;
  const Racks& racks_;
  const Claims& claims_;
  const int least_;
  int with_more_;  // members that have yet to get one more
  std::vector<int> owner_;
  std::vector<int> given_;
  std::vector<int> leaves_;  // whose the partition was, if that member cannot keep it; else -1
  std::vector<bool> moves_;
  std::vector<int> below_;     // members with less than `least_`
  std::vector<int> at_least_;  // members with `least_` that may get one more
};

// Which partitions have moved from whom to whom while balancing. Of one topic, partitions should
// not move both ways between two members: one that has moved the other way goes back instead.
class Movements {
 public:
  explicit Movements(const AssignorInput& input)
      : input_(input), from_(index(input.partitions()), -1), to_(from_) {}

  // What to move instead of `p`.
  int instead_of(int p, int from, int to) const {
    if (from_[index(p)] >= 0) from = from_[index(p)];
    const auto back = sets_.find({input_.topic_of(p), to, from});
    return back == sets_.end() ? p : first_of(back->second);
  }

  void move(int p, int from, int to) {
    int& origin = from_[index(p)];
    if (origin >= 0) {
      const auto old = sets_.find({input_.topic_of(p), origin, to_[index(p)]});
      std::erase(old->second.partitions, p);
      if (old->second.partitions.empty()) sets_.erase(old);
    } else {
      origin = from;
    }
    if (origin == to) {
      origin = -1;
      return;
    }
    to_[index(p)] = to;
    Set& set = sets_[{input_.topic_of(p), origin, to}];
    set.partitions.push_back(p);
    set.table = std::max(set.table, java_table(set.partitions.size()));
  }

 private:
  struct Set {
    std::vector<int> partitions;  // in the order in which they came
    std::uint32_t table = 0;      // never shrinks
  };

  // The one that a walk through Java's hash set meets first.
  int first_of(const Set& set) const {
    const AssignorInput::Topic& topic = input_.topic(input_.topic_of(set.partitions.front()));
    const std::uint32_t name = java_hash(topic.name);
    const auto bucket = [&](int p) {
      const auto number = static_cast<std::uint32_t>(p - topic.first);
      return java_bucket(31 * (31 + number) + name, set.table);
    };
    return *std::min_element(set.partitions.begin(), set.partitions.end(),
                             [&](int a, int b) { return bucket(a) < bucket(b); });
  }

  const AssignorInput& input_;
  std::vector<int> from_;  // where each partition was at first; -1: it has not moved
  std::vector<int> to_;
  std::map<std::array<int, 3>, Set> sets_;  // by topic, from, to
};

// Not all have asked for the same.
class Balancer {
 public:
  Balancer(const AssignorInput& input, const Racks& racks, const Claims& claims)
      : input_(input),
        racks_(racks),
        claims_(claims),
        movements_(input),
        owner_(claims.owner),
        given_(index(input.members())),
        given_of_(input.topics().size() * index(input.members())) {}

  std::vector<int> assign() {
    const bool must_revoke = drop_misplaced();
    for (int m = 0; m < input_.members(); ++m) ranked_.emplace(given_[index(m)], m);
    std::vector<int> all = by_subscribers();
    std::vector<int> free;
    std::copy_if(all.begin(), all.end(), std::back_inserter(free),
                 [this](int p) { return owner_[index(p)] < 0; });
    if (racks_.matter()) give_all(free, true);
    give_all(free, false);

    // What one member alone has asked for stays where it is.
    const auto settled = [this](int p) { return subscribers(p).size() < 2; };
    std::erase_if(all, settled);
    std::erase_if(free, settled);
    if (!must_revoke) balance(free);
    balance(all);
    return owner_;
  }

 private:
  using Ranked = std::set<std::pair<int, int>>;

  const std::vector<int>& subscribers(int p) const {
    return input_.topic(input_.topic_of(p)).subscribers;
  }

  // Takes from members what they have not asked for, or are far from; true if there was any.
  bool drop_misplaced() {
    bool any = false;
    for (int p = 0; p < input_.partitions(); ++p) {
      int& m = owner_[index(p)];
      if (m < 0) continue;
      if (!input_.subscribed(m, input_.topic_of(p)) || racks_.far(m, p)) {
        m = -1;
        any = true;
      } else {
        ++given_[index(m)];
        ++given_of(m, input_.topic_of(p));
      }
    }
    return any;
  }

  // All partitions, those that fewest can have first.
  std::vector<int> by_subscribers() const {
    std::vector<int> all(index(input_.partitions()));
    for (std::size_t p = 0; p < all.size(); ++p) all[p] = static_cast<int>(p);
    std::sort(all.begin(), all.end(), [this](int a, int b) {
      return std::pair(subscribers(a).size(), a) < std::pair(subscribers(b).size(), b);
    });
    return all;
  }

  // Of those that can have it, the member with the fewest partitions; -1: there is none.
  int poorest(int p, bool nearby) const {
    for (const auto& [have, m] : ranked_) {
      if (!input_.subscribed(m, input_.topic_of(p))) continue;
      if (!nearby || !racks_.far(m, p)) return m;
    }
    return -1;
  }

  void give_all(const std::vector<int>& partitions, bool nearby) {
    for (const int p : partitions) {
      if (owner_[index(p)] >= 0) continue;
      const int m = poorest(p, nearby);
      if (m >= 0) give(p, m);
    }
  }
  void give(int p, int m) {
    if (owner_[index(p)] >= 0) count(p, owner_[index(p)], -1);
    owner_[index(p)] = m;
    count(p, m, 1);
  }
  void count(int p, int m, int change) {
    ranked_.erase({given_[index(m)], m});
    given_[index(m)] += change;
    ranked_.emplace(given_[index(m)], m);
    given_of(m, input_.topic_of(p)) += change;
  }
  int& given_of(int m, int t) { return given_of_[index(m) * input_.topics().size() + index(t)]; }

  // Whether no partition can go to a member that has at least two less than its owner.
  bool balanced() {
    const int most = ranked_.rbegin()->first;
    if (ranked_.begin()->first >= most - 1) return true;
    if (gap_.first >= 0 && richest(gap_.second) > given_[index(gap_.first)] + 1) return false;
    std::vector<int> known(input_.topics().size(), -1);
    for (const auto& [have, m] : ranked_) {
      if (have >= most - 1) return true;
      for (const int t : input_.topics_of(m)) {
        if (known[index(t)] < 0) known[index(t)] = richest(t);
        if (known[index(t)] <= have + 1) continue;
        gap_ = {m, t};
        return false;
      }
    }
    return true;
  }
  // How many partitions the member has that has most of those which have one of this topic.
  int richest(int t) {
    const AssignorInput::Topic& topic = input_.topic(t);
    int most = 0;
    if (index(topic.count) < topic.subscribers.size()) {
      for (int p = topic.first; p < topic.end(); ++p) {
        most = std::max(most, given_[index(owner_[index(p)])]);
      }
      return most;
    }
    for (const int m : topic.subscribers) {
      if (given_of(m, t) > 0) most = std::max(most, given_[index(m)]);
    }
    return most;
  }

  void balance(const std::vector<int>& partitions) {
    bool done = balanced();
    for (bool again = true; again && !done;) {
      again = false;
      for (auto p = partitions.begin(); p != partitions.end() && !done; ++p) {
        if (!improve(*p)) continue;
        again = true;
        done = balanced();
      }
    }
  }

  // Moves the partition, or another in its place, to a member that has less; false if there is
  // none.
  bool improve(int p) {
    const int have = given_[index(owner_[index(p)])];
    const int earlier = claims_.earlier[index(p)];
    const bool back = earlier >= 0 && input_.subscribed(earlier, input_.topic_of(p)) &&
                      have > given_[index(earlier)] + 1;
    const int to = back ? earlier : poorest(p, false);
    if (have <= given_[index(to)] + 1) return false;
    int moved = movements_.instead_of(p, owner_[index(p)], to);
    // A step makes the group more even, or it undoes an earlier one and leaves it as even as it
    // was. Those that make it less even are bounded, so there is an end to all of them.
    const bool worse = given_[index(owner_[index(moved)])] <= given_[index(to)];
    if (worse && ++worse_steps_ > input_.partitions()) moved = p;
    movements_.move(moved, owner_[index(moved)], to);
    give(moved, to);
    return true;
  }

  const AssignorInput& input_;
  const Racks& racks_;
  const Claims& claims_;
  Movements movements_;
  std::vector<int> owner_;
  std::vector<int> given_;     // how many partitions each member has
  std::vector<int> given_of_;  // the same of each topic
  Ranked ranked_;              // members by what they have, those with the fewest first
  int worse_steps_ = 0;
  std::pair<int, int> gap_{-1, -1};  // a member that should get a partition of the topic
};

GroupAssignment assign(std::span<const GroupMember> members, std::span<const GroupTopic> topics,
                       Claim (*read)(const AssignorInput&, int), bool cooperative) {
  if (members.empty()) return {};
  const AssignorInput input(members, topics);
  const Racks racks(input);
  const Claims claims = claims_of(input, read);
  if (!input.same_topics()) {
    GroupAssignment assignment = input.named(Balancer(input, racks, claims).assign());
    if (cooperative) revoke_first(members, assignment);
    return assignment;
  }
  Quotas quotas(input, racks, claims);
  std::vector<int> owner = quotas.assign();
  for (std::size_t p = 0; cooperative && p < owner.size(); ++p) {
    if (quotas.moves()[p]) owner[p] = -1;
  }
  return input.named(owner);
}

}  // namespace

GroupAssignment assign_sticky(std::span<const GroupMember> members,
                              std::span<const GroupTopic> topics) {
  return assign(members, topics, sticky_claim, false);
}

GroupAssignment assign_cooperative_sticky(std::span<const GroupMember> members,
                                          std::span<const GroupTopic> topics) {
  return assign(members, topics, cooperative_claim, true);
}

}  // namespace tern::kafka
