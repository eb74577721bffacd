// Writes assignors.txt: what the assignors of the Java client make of some hundred generated groups.
// Outside the build; needs a JDK and the jars of a Kafka distribution:
//   java -cp 'kafka-clients-4.4.0.jar:slf4j-api-1.7.36.jar' MakeAssignors.java > assignors.txt
// A number after it makes the groups of that many seeds instead, for a wider look. Of the groups of 12,000 seeds 47
// then differ: in each there is a member that has asked for nothing, whom the Java client overlooks when it
// asks whether all members have asked for the same.
//
// A line of the file, and what follows its first word (fields are parted by blanks, "-" is none):
//   topic    name, partitions, the racks of each partition's replicas: "xy,y,-" (a letter is a rack)
//   member   id, instance id, rack, generation, form, topics, owned. The form says where the
//            generation is told (see FORMS); topics and owned name topics by their place in the case:
//            "02" is the first and the third, "0:1-3,5;2:0" five partitions of the two
//   range, roundrobin, sticky, cooperative: one character for each partition, topics parted by "/":
//            the place of the owning member in the case (0-9a-zA-Z), "." for nobody. "!" alone: the
//            Java client failed, or gave a partition to two or to somebody who has not asked for it
//   user     the assignor, a generation, partitions of the topics of the case before, the bytes of its
//            user data in hex
// A line "case SEED.ROUND" begins each. Members reach the assignors in a map that was filled in the order of
// their ids: where two ids fall into one bucket of Java's hash map, that order shows in the result.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class MakeAssignors {
  static final String DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

  // Where a member tells its generation: in the subscription (f), in the user data (u), nowhere but
  // the sticky user data of version 0 (o), nowhere at all (n), in the subscription with user data
  // that nobody can read (g).
  static final String FORMS = "fuong";

  // Seeds whose groups take ways that few others take: members that collide in a hash map, partitions that
  // go back where they came from, owners of an older generation.
  static final long[] TELLING = {94, 127, 137, 148, 174, 220, 230, 310, 319, 359, 479, 673, 1024, 1076, 1334,
      2599, 2667, 3039, 3665, 3819, 5144, 9159};

  static class Topic {
    String name;
    List<String> racks = new ArrayList<>();  // of each partition; "" is none
  }

  static class Member {
    String id, instance, rack;
    int generation = -1;
    char form = 'n';
    Set<Topic> topics = new LinkedHashSet<>();
    List<TopicPartition> owned = new ArrayList<>();
  }

  static class Group {
    List<Topic> topics = new ArrayList<>();
    List<Member> members = new ArrayList<>();
  }

  static ByteBuffer stickyData(Member m, boolean generation) {
    Map<String, List<Integer>> byTopic = new TreeMap<>();
    for (TopicPartition p : m.owned) byTopic.computeIfAbsent(p.topic(), t -> new ArrayList<>()).add(p.partition());
    ByteBuffer out = ByteBuffer.allocate(1 << 16).putInt(byTopic.size());
    byTopic.forEach((topic, partitions) -> {
      byte[] name = topic.getBytes(StandardCharsets.UTF_8);
      out.putShort((short) name.length).put(name).putInt(partitions.size());
      partitions.forEach(out::putInt);
    });
    if (generation) out.putInt(m.generation);
    return out.flip().slice();
  }

  static ByteBuffer userData(Member m, String assignor) {
    if (m.form == 'g') return ByteBuffer.wrap(new byte[] {0, 0, 1});
    if (m.form == 'n') return null;
    if (assignor.equals("sticky")) return stickyData(m, m.form != 'o');
    if (assignor.equals("cooperative-sticky") && m.form != 'o') return ByteBuffer.allocate(4).putInt(m.generation).flip();
    return null;
  }

  static Map<String, List<TopicPartition>> run(Group group, ConsumerPartitionAssignor assignor) {
    Map<String, Node> nodes = new TreeMap<>();
    List<PartitionInfo> infos = new ArrayList<>();
    for (Topic topic : group.topics) {
      for (int p = 0; p < topic.racks.size(); ++p) {
        List<Node> replicas = new ArrayList<>();
        for (char rack : (topic.racks.get(p).isEmpty() ? "-" : topic.racks.get(p)).toCharArray()) {
          replicas.add(nodes.computeIfAbsent("" + rack, r -> new Node(nodes.size(), "h", 1, r.equals("-") ? null : r)));
        }
        Node[] all = replicas.toArray(new Node[0]);
        infos.add(new PartitionInfo(topic.name, p, all[0], all, all));
      }
    }
    Cluster cluster = new Cluster("c", nodes.values(), infos, Set.of(), Set.of());
    List<Member> sorted = new ArrayList<>(group.members);
    sorted.sort(Comparator.comparing(m -> m.id));
    Map<String, Subscription> subscriptions = new HashMap<>();
    for (Member m : sorted) {
      int field = m.form == 'f' || m.form == 'g' ? m.generation : -1;
      Subscription s = new Subscription(m.topics.stream().map(t -> t.name).collect(Collectors.toList()),
          userData(m, assignor.name()), m.owned, field, Optional.ofNullable(m.rack));
      s.setGroupInstanceId(Optional.ofNullable(m.instance));
      subscriptions.put(m.id, s);
    }
    Map<String, List<TopicPartition>> out = new HashMap<>();
    assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment()
        .forEach((id, assignment) -> out.put(id, assignment.partitions()));
    return out;
  }

  // The result as text, or "!" if it is none that a group could live with.
  static String show(Group group, Map<String, List<TopicPartition>> result, boolean mayHold) {
    Map<TopicPartition, Integer> owners = new HashMap<>();
    int given = 0;
    for (int i = 0; i < group.members.size(); ++i) {
      Member m = group.members.get(i);
      Set<String> wanted = m.topics.stream().map(t -> t.name).collect(Collectors.toSet());
      for (TopicPartition p : result.get(m.id)) {
        if (owners.put(p, i) != null || !wanted.contains(p.topic())) return "!";
        ++given;
      }
    }
    StringBuilder out = new StringBuilder();
    for (Topic topic : group.topics) {
      if (topic != group.topics.get(0)) out.append('/');
      boolean asked = group.members.stream().anyMatch(m -> m.topics.contains(topic));
      for (int p = 0; p < topic.racks.size(); ++p) {
        Integer owner = owners.get(new TopicPartition(topic.name, p));
        if (owner != null) --given;
        if (owner == null && asked && !mayHold) return "!";
        out.append(owner == null ? '.' : DIGITS.charAt(owner));
      }
    }
    return given == 0 ? out.toString() : "!";
  }

  static String places(Group group, List<TopicPartition> partitions) {
    StringBuilder out = new StringBuilder();
    for (int t = 0; t < group.topics.size(); ++t) {
      String name = group.topics.get(t).name;
      int[] all = partitions.stream().filter(p -> p.topic().equals(name)).mapToInt(TopicPartition::partition).sorted().toArray();
      if (all.length == 0) continue;
      out.append(out.length() == 0 ? "" : ";").append(DIGITS.charAt(t)).append(':');
      for (int i = 0; i < all.length; ) {
        int j = i;
        while (j + 1 < all.length && all[j + 1] == all[j] + 1) ++j;
        out.append(i == 0 ? "" : ",").append(all[i]).append(j == i ? "" : "-" + all[j]);
        i = j + 1;
      }
    }
    return out.length() == 0 ? "-" : out.toString();
  }

  static String orNone(String text) {
    return text == null || text.isEmpty() ? "-" : text;
  }

  // Prints the case; what the sticky assignor made of it, or nothing where that is not usable.
  static Map<String, List<TopicPartition>> print(String name, Group group) {
    System.out.println("case " + name);
    for (Topic topic : group.topics) {
      boolean racks = topic.racks.stream().anyMatch(r -> !r.isEmpty());
      String list = topic.racks.stream().map(MakeAssignors::orNone).collect(Collectors.joining(","));
      System.out.println("topic " + topic.name + " " + topic.racks.size() + " " + (racks ? list : "-"));
    }
    for (Member m : group.members) {
      String topics = m.topics.stream().map(t -> "" + DIGITS.charAt(group.topics.indexOf(t))).sorted().collect(Collectors.joining());
      System.out.println(String.join(" ", "member", m.id, orNone(m.instance), orNone(m.rack), "" + m.generation,
          "" + m.form, orNone(topics), places(group, m.owned)));
    }
    Map<String, List<TopicPartition>> next = null;
    for (ConsumerPartitionAssignor assignor : List.of(new RangeAssignor(), new RoundRobinAssignor(),
             new StickyAssignor(), new CooperativeStickyAssignor())) {
      String text;
      try {
        var result = run(group, assignor);
        text = show(group, result, assignor instanceof CooperativeStickyAssignor);
        if (assignor instanceof StickyAssignor && !text.equals("!")) next = result;
      } catch (RuntimeException failed) {
        text = "!";
      }
      System.out.println(assignor.name().replace("-sticky", "") + " " + text);
    }
    return next;
  }

  static void printUserData(Group group, Random random) {
    Member m = group.members.get(random.nextInt(group.members.size()));
    m.owned.sort(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition));
    Assignment got = new Assignment(m.owned);
    StickyAssignor sticky = new StickyAssignor();
    CooperativeStickyAssignor cooperative = new CooperativeStickyAssignor();
    var metadata = new ConsumerGroupMetadata("g", random.nextInt(1000), m.id, Optional.empty());
    sticky.onAssignment(got, metadata);
    cooperative.onAssignment(got, metadata);
    for (ConsumerPartitionAssignor assignor : List.of(sticky, cooperative)) {
      StringBuilder hex = new StringBuilder();
      ByteBuffer data = assignor.subscriptionUserData(Set.of());
      while (data.hasRemaining()) hex.append(String.format("%02x", data.get()));
      System.out.println("user " + assignor.name().replace("-sticky", "") + " " + metadata.generationId() + " "
          + places(group, m.owned) + " " + hex);
    }
  }

  final long seed;
  final Random random;
  final int racks, rackChance, topicLimit, partitionLimit, memberLimit;
  final boolean sameTopics, orderly;

  MakeAssignors(long seed) {
    this.seed = seed;
    random = new Random(seed);
    racks = random.nextInt(3) == 0 ? 2 + random.nextInt(3) : random.nextInt(2) == 0 ? 3 : 0;
    rackChance = random.nextInt(3) == 0 ? 60 : 100;
    topicLimit = 1 + random.nextInt(6);
    boolean large = seed % 20 == 19;
    partitionLimit = large ? 40 : 1 + random.nextInt(12);
    memberLimit = large ? 40 : 2 + random.nextInt(10);
    sameTopics = random.nextInt(5) < 2;
    orderly = random.nextInt(3) == 0;
  }

  boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  String word(int letters) {
    String out = "";
    while (out.length() < letters) out += DIGITS.charAt(random.nextInt(36));
    return out;
  }

  String replicas(int p, int copies) {
    if (racks == 0 || !chance(rackChance)) return "";
    String out = "";
    int start = chance(70) ? p : random.nextInt(racks);
    for (int i = 0; i < copies; ++i) out += "xyzw".charAt((start + i) % racks);
    return out;
  }

  Topic topic(Group group) {
    Topic topic = new Topic();
    topic.name = (chance(50) ? "" : chance(50) ? "orders." : "T-") + word(1 + random.nextInt(4)) + group.topics.size();
    int count = chance(30) && !group.topics.isEmpty() ? group.topics.get(0).racks.size() : random.nextInt(partitionLimit + 1);
    int copies = 1 + random.nextInt(3);
    for (int p = 0; p < count; ++p) topic.racks.add(replicas(p, Math.min(copies, Math.max(racks, 1))));
    return topic;
  }

  void subscribe(Group group, Member m) {
    m.topics.clear();
    for (Topic topic : group.topics) {
      if (sameTopics || chance(60)) m.topics.add(topic);
    }
    if (m.topics.isEmpty() && chance(80) && !group.topics.isEmpty()) m.topics.add(group.topics.get(random.nextInt(group.topics.size())));
  }

  Member member(Group group, int n) {
    Member m = new Member();
    m.id = (chance(50) ? "c" : chance(50) ? "consumer-g-" : chance(90) ? "Z" : "\u00e9\ud83d\ude00") + n + "-" + word(6);
    if (chance(20)) m.instance = "i" + word(2) + n;
    if (racks > 0 && chance(rackChance)) m.rack = "" + "xyzwv".charAt(random.nextInt(racks + (chance(20) ? 1 : 0)));
    subscribe(group, m);
    return m;
  }

  void change(Group group, int round) {
    if (chance(40) && group.members.size() > 1) group.members.remove(random.nextInt(group.members.size()));
    if (chance(15) && group.members.size() > 3) group.members.subList(0, 2).clear();
    if (chance(40)) group.members.add(member(group, 50 + round));
    if (chance(20)) group.topics.add(topic(group));
    for (Topic topic : group.topics) {
      for (int more = chance(15) ? 1 + random.nextInt(4) : 0; more > 0; --more) topic.racks.add(replicas(topic.racks.size(), 1 + random.nextInt(Math.max(racks, 1))));
    }
    if (!sameTopics && chance(40)) subscribe(group, group.members.get(random.nextInt(group.members.size())));
    if (sameTopics) group.members.forEach(m -> subscribe(group, m));
    if (orderly) return;
    if (chance(10) && group.topics.size() > 1) {
      Topic gone = group.topics.remove(random.nextInt(group.topics.size()));
      group.members.forEach(m -> m.topics.remove(gone));
    }
  }

  void remember(Group group, Map<String, List<TopicPartition>> result, int generation) {
    for (Member m : group.members) {
      if (!orderly && m.generation >= 0 && chance(12)) continue;  // missed this generation
      m.owned = new ArrayList<>(result.getOrDefault(m.id, List.of()));
      m.owned.removeIf(p -> group.topics.stream().noneMatch(t -> t.name.equals(p.topic())));
      if (!orderly && chance(8) && !m.owned.isEmpty()) m.owned.remove(0);
      m.generation = generation;
      m.form = orderly || chance(70) ? 'f' : FORMS.charAt(random.nextInt(FORMS.length()));
    }
    if (!orderly && chance(25)) {  // two claim the same
      Member a = group.members.get(random.nextInt(group.members.size()));
      Member b = group.members.get(random.nextInt(group.members.size()));
      for (TopicPartition p : a.owned) {
        if (!b.owned.contains(p) && chance(50)) b.owned.add(p);
      }
    }
  }

  void go() {
    Group group = new Group();
    for (int n = 1 + random.nextInt(topicLimit); n > 0; --n) group.topics.add(topic(group));
    for (int n = 1 + random.nextInt(memberLimit); n > 0; --n) group.members.add(member(group, n));
    for (int round = 0; round < 4; ++round) {
      Collections.shuffle(group.members, random);
      var result = print(seed + "." + round, group);
      if (round > 0 && chance(8)) printUserData(group, random);
      if (result == null) return;
      remember(group, result, 5 + round);
      change(group, round);
      for (Member m : group.members) {
        m.owned.removeIf(p -> group.topics.stream().noneMatch(t -> t.name.equals(p.topic())));
      }
    }
  }

  public static void main(String[] args) {
    System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
    String jar = StickyAssignor.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    System.out.println("# Written by MakeAssignors.java, which tells the form, with " + jar.substring(jar.lastIndexOf('/') + 1));
    if (args.length > 0) {
      for (long seed = 0; seed < Long.parseLong(args[0]); ++seed) new MakeAssignors(seed).go();
      return;
    }
    for (long seed = 0; seed < 70; ++seed) new MakeAssignors(seed).go();
    for (long seed : TELLING) new MakeAssignors(seed).go();
  }
}
