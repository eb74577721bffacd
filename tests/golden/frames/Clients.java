// Drives the Java client through everything that tern has messages for; see capture.py.
//   java -cp 'lib/*' Clients.java 127.0.0.1:PORT
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

public class Clients {
  public static void main(String[] args) throws Exception {
    Map<String, Object> base = new HashMap<>();
    base.put("bootstrap.servers", args[0]);
    base.put("client.id", "java-golden");
    try (Admin admin = Admin.create(base)) {
      NewTopic topic = new NewTopic("java-golden", 2, (short) 1).configs(Map.of("retention.ms", "3600000"));
      admin.createTopics(List.of(topic)).all().get();
      admin.describeTopics(List.of("java-golden")).allTopicNames().get();
      admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.TOPIC, "java-golden"))).all().get();
      admin.createPartitions(Map.of("java-golden", NewPartitions.increaseTo(3))).all().get();
      try {
        admin.createTopics(List.of(topic)).all().get();
      } catch (java.util.concurrent.ExecutionException expected) {
        System.out.println(expected.getMessage());
      }
      produce(base);
      consume(base);
      admin.deleteTopics(List.of("java-golden")).all().get();
    }
  }

  static void produce(Map<String, Object> base) throws Exception {
    Map<String, Object> config = new HashMap<>(base);
    config.put("linger.ms", "20");
    try (var producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
      for (int n = 0; n < 5; ++n) {
        var record = new ProducerRecord<>("java-golden", n % 2, n == 0 ? null : "key" + n, n == 1 ? null : "value" + n);
        record.headers().add("h", n == 2 ? null : new byte[] {1, 2});
        producer.send(record);
      }
      producer.flush();
    }
  }

  static void consume(Map<String, Object> base) {
    Map<String, Object> config = new HashMap<>(base);
    config.put("group.id", "java-golden");
    config.put("client.rack", "rack-1");
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      TopicPartition zero = new TopicPartition("java-golden", 0), one = new TopicPartition("java-golden", 1);
      consumer.assign(List.of(zero, one));
      // With an epoch, the position is checked by OffsetForLeaderEpoch before the first fetch.
      consumer.seek(zero, new OffsetAndMetadata(0, Optional.of(0), ""));
      consumer.seekToBeginning(List.of(one));
      int seen = 0;
      for (int i = 0; i < 50 && seen < 5; ++i) seen += consumer.poll(Duration.ofMillis(200)).count();
      consumer.pause(List.of(one));
      consumer.poll(Duration.ofMillis(200));
      consumer.offsetsForTimes(Map.of(zero, 1L, one, 1L));
      consumer.endOffsets(List.of(zero, one));
      System.out.println("records: " + seen);
    }
  }
}
