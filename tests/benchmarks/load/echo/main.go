// Echo is a bare gRPC server in Go. It stands for the limit of the machine.
//
// It reads the bytes of each request without parsing them, and always writes the same answer.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"
)

// The same limits as those of the other servers that are measured.
const (
	largestRequest = 512 * 1024
	mostStreams    = 128
)

func main() {
	answer := flag.String("answer", "", "the CheckOperationResponse, serialized, in hexadecimal")
	flag.Parse()
	if err := serve(*answer); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func serve(written string) error {
	answer, err := hex.DecodeString(written)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.ForceServerCodec(bytesCodec{}),
		grpc.MaxRecvMsgSize(largestRequest),
		grpc.MaxConcurrentStreams(mostStreams),
	)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "frostgate.v1.PolicyDecisionService",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "CheckOperation", Handler: echoing(answer)}},
	}, nil)
	fmt.Printf("echo is ready on %s: 1 process\n", listener.Addr())
	return server.Serve(listener)
}

// echoing gives the handler that reads a request and writes the answer.
func echoing(answer []byte) grpc.MethodHandler {
	return func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		return answer, read(&request)
	}
}

// bytesCodec sends and takes bytes as they are.
type bytesCodec struct{}

func (bytesCodec) Marshal(answer any) ([]byte, error) { return answer.([]byte), nil }

func (bytesCodec) Unmarshal(serialized []byte, request any) error {
	*request.(*[]byte) = serialized
	return nil
}

// Name is that of the format on the wire.
func (bytesCodec) Name() string { return "proto" }
