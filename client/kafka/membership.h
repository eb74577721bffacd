// Membership: how a consumer is a member of a group. What differs between the protocols of groups
// is behind this; what a consumer does with partitions is in front of it, at the Owner.
//
// Belongs to the engine's executor. The Owner is called from inside step() and the answers of
// brokers; it must not call back from there.
#ifndef TERN_CLIENT_KAFKA_MEMBERSHIP_H_
#define TERN_CLIENT_KAFKA_MEMBERSHIP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/core/error.h"
#include "client/core/time.h"
#include "client/kafka/config.h"
#include "protocol/kafka/errors.h"

namespace tern::kafka {

// By what a coordinator knows a member, and whether what it says is of now.
struct MemberIdentity {
  std::string member_id;
  std::int32_t generation = -1;  // -1: of no generation, not a member
  friend bool operator==(const MemberIdentity&, const MemberIdentity&) = default;
};

class Membership {
 public:
  class Owner {
   public:
    // Sorted, each once.
    virtual const std::vector<std::string>& wanted_topics() const = 0;
    // For topics besides those, which the broker is to find; empty: none.
    virtual const std::string& brokers_pattern() const = 0;
    // The broker cannot: wanted_topics() will have all of them. If the member was not in yet it is
    // out until join().
    virtual void on_pattern_unsupported() = 0;
    // What this member has not been told to give up. Sorted.
    virtual Partitions owned() const = 0;
    // These go to others; the group waits until settled().
    virtual void give_up(const Partitions& partitions, Now now) = 0;
    // From now on exactly these are the member's: what is missing is to be given up, first.
    virtual void adopt(const Partitions& partitions, Now now) = 0;
    // Nothing is being given up any more.
    virtual bool settled() const = 0;
    // Others may have all of it by now.
    virtual void lose_all(const Failure& why, Now now) = 0;
    // The member is out, and will not try again before join() is called; with `for_good`, never.
    virtual void on_membership_failed(const Failure& why, bool for_good) = 0;

   protected:
    ~Owner() = default;
  };

  virtual ~Membership() = default;

  // Becomes a member, if it is none.
  virtual void join(Now now) = 0;
  // What is wanted has changed, or the group has to look at it again for another reason.
  virtual void rejoin(std::string reason) = 0;
  // Tells the group that the member goes, as soon as that can be done; is_out() then. Whatever it
  // had must have been given up or lost.
  virtual void leave(std::string reason, Now now) = 0;
  virtual bool is_out() const = 0;

  // Of the last generation that this was a member of, until that is known to be over.
  virtual const MemberIdentity& identity() const = 0;
  // What is owned is what this generation has given.
  virtual bool has_assignment() const = 0;
  // Offsets can be stored under this identity now.
  virtual bool can_commit() const = 0;
  // A coordinator refused `used` in another request.
  virtual void on_refused(BrokerErrc error, const MemberIdentity& used, Now now) = 0;

  virtual void on_cluster_changed() = 0;
  virtual void step(Now now) = 0;
  // When step() is to be called again at the latest, as of a step() at `now`.
  virtual Time next_time(Now now) const = 0;
};

}  // namespace tern::kafka

#endif  // TERN_CLIENT_KAFKA_MEMBERSHIP_H_
