// Records prints records of __consumer_offsets as the classes of Kafka 4.2.0 serialise them: java -cp "LIBS/*" Records.java
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.common.protocol.*;
import java.util.*;
public class Records {
  static String hex(byte[] b){ StringBuilder s=new StringBuilder(); for(byte x:b) s.append(String.format("%02x",x)); return s.toString(); }
  static byte[] ser(ApiMessage m, short v){ return MessageUtil.toVersionPrefixedBytes(v,m); }
  public static void main(String[] a) throws Exception {
    for (short ver=0; ver<=4; ver++) {
      OffsetCommitValue v=new OffsetCommitValue().setOffset(42).setMetadata("mé").setCommitTimestamp(1700000000123L);
      if (ver>=3) v.setLeaderEpoch(7);
      if (ver==1) v.setExpireTimestamp(1700000009999L);
      System.out.println("OffsetCommitValue "+ver+" "+hex(ser(v,ver)));
      GroupMetadataValue g=new GroupMetadataValue().setProtocolType("consumer").setGeneration(5).setProtocol("range").setLeader("m-1");
      if (ver>=2) g.setCurrentStateTimestamp(1700000000555L);
      GroupMetadataValue.MemberMetadata m=new GroupMetadataValue.MemberMetadata().setMemberId("m-1").setClientId("c").setClientHost("/10.0.0.1").setSessionTimeout(45000).setSubscription(new byte[]{1,2}).setAssignment(new byte[]{3});
      if (ver>=1) m.setRebalanceTimeout(300000);
      if (ver>=3) m.setGroupInstanceId("inst");
      g.setMembers(List.of(m));
      System.out.println("GroupMetadataValue "+ver+" "+hex(ser(g,ver)));
    }
    OffsetCommitValue v=new OffsetCommitValue().setOffset(42).setMetadata("").setCommitTimestamp(1700000000123L).setLeaderEpoch(7);
    try { v.getClass().getMethod("setTopicId", org.apache.kafka.common.Uuid.class).invoke(v, new org.apache.kafka.common.Uuid(1,2)); System.out.println("OffsetCommitValue topicId "+hex(ser(v,(short)4))); } catch (NoSuchMethodException e) { System.out.println("no topicId"); }
    System.out.println("OffsetCommitKey 1 "+hex(ser(new OffsetCommitKey().setGroup("gr").setTopic("to").setPartition(3),(short)0)));
    System.out.println("ConsumerGroupMetadataValue 0 "+hex(ser(new ConsumerGroupMetadataValue().setEpoch(9),(short)0)));
    System.out.println("ShareGroupMetadataValue 0 "+hex(ser(new ShareGroupMetadataValue().setEpoch(8),(short)0)));
    System.out.println("StreamsGroupMetadataValue 0 "+hex(ser(new StreamsGroupMetadataValue().setEpoch(7),(short)0)));
    System.out.println("ConsumerGroupMemberMetadataValue 0 "+hex(ser(new ConsumerGroupMemberMetadataValue().setClientId("cid").setClientHost("/1.2.3.4").setInstanceId("i").setSubscribedTopicNames(List.of("orders")).setRebalanceTimeoutMs(5).setRackId("r"),(short)0)));
    System.out.println("ShareGroupMemberMetadataValue 0 "+hex(ser(new ShareGroupMemberMetadataValue().setClientId("cid").setClientHost("/1.2.3.4").setSubscribedTopicNames(List.of("orders")),(short)0)));
    System.out.println("StreamsGroupMemberMetadataValue 0 "+hex(ser(new StreamsGroupMemberMetadataValue().setClientId("cid").setClientHost("/1.2.3.4").setInstanceId("i").setRackId(null).setProcessId("p").setClientTags(List.of()).setRebalanceTimeoutMs(5).setTopologyEpoch(1),(short)0)));
    System.out.println("ConsumerGroupMemberMetadataKey "+hex(ser(new ConsumerGroupMemberMetadataKey().setGroupId("gr").setMemberId("m-1"),(short)0)));
  }
}
