// Makes unary calls in bytes, one a line of stdin: a path, a request in hexadecimal digits, a timeout in milliseconds, and
// an encoding. Prints a line for each: the status, the answer, and the details of the status.
//
//   java -cp 'jars/*:.' Caller 127.0.0.1:50051 < calls.txt

import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;

public final class Caller {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  public static void main(String[] arguments) throws IOException {
    ManagedChannel channel = Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(call(channel, line.split(" ", -1)));
    }
    channel.shutdownNow();
  }

  private static String call(ManagedChannel channel, String[] call) {
    CallOptions options =
        CallOptions.DEFAULT.withDeadlineAfter(Long.parseLong(call[2]), TimeUnit.MILLISECONDS).withCompression(call[3]);
    try {
      byte[] answer = ClientCalls.blockingUnaryCall(channel, method(call[0]), options, HexFormat.of().parseHex(call[1]));
      return "OK " + HexFormat.of().formatHex(answer) + " ";
    } catch (StatusRuntimeException error) {
      byte[] details = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
      return error.getStatus().getCode() + "  " + (details == null ? "" : HexFormat.of().formatHex(details));
    }
  }

  private static MethodDescriptor<byte[], byte[]> method(String path) {
    return MethodDescriptor.newBuilder(new Bytes(), new Bytes())
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(path.substring(1))
        .build();
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }
}
