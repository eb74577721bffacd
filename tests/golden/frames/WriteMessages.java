// Turns messages from JSON into bytes with the codecs of the Java client; see make_messages.py.
//   java -cp 'lib/*' WriteMessages.java < JSON lines
//
// Each line of input: NAME VERSION JSON. Each line of output: the bytes in hex. A request or response
// gets its header (client id "java-codec", correlation id 7); what lies inside other messages gets the
// int16 of its version. Java reads its bytes back first and has to get the same message.
import com.fasterxml.jackson.databind.*;
import java.io.*;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.requests.*;

public class WriteMessages {
  static final String PACKAGE = "org.apache.kafka.common.message.";

  public static void main(String[] args) throws Exception {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", 3);
      short version = Short.parseShort(words[1]);
      ByteBuffer bytes = write(words[0], version, new ObjectMapper().readTree(words[2]));
      byte[] raw = new byte[bytes.remaining()];
      bytes.get(raw);
      System.out.println(HexFormat.of().formatHex(raw));
    }
  }

  static ByteBuffer write(String name, short version, JsonNode json) throws Exception {
    boolean request = name.endsWith("Request"), response = name.endsWith("Response");
    String type = PACKAGE + name + (request || response ? "Data" : "");
    Object made = Class.forName(type + "JsonConverter").getMethod("read", JsonNode.class, short.class)
        .invoke(null, json, version);
    Message message = (Message) made;
    ByteBuffer body = MessageUtil.toByteBufferAccessor(message, version).buffer();
    Message again = (Message) Class.forName(type).getConstructor().newInstance();
    again.read(new ByteBufferAccessor(body.duplicate()), version);
    if (!again.equals(message)) throw new AssertionError(name + " v" + version + ": " + message);
    if (!request && !response) return MessageUtil.toVersionPrefixedByteBuffer(version, message);
    ApiKeys api = ApiKeys.forId(((ApiMessage) message).apiKey());
    if (request) {
      RequestHeader header = new RequestHeader(api, version, "java-codec", 7);
      return RequestUtils.serialize(header.data(), header.headerVersion(), message, version);
    }
    ResponseHeader header = new ResponseHeader(7, api.responseHeaderVersion(version));
    return RequestUtils.serialize(header.data(), header.headerVersion(), message, version);
  }
}
