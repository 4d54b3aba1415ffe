// Caller asks frostgate for decisions, one by one and then all together, and prints what came of each.
//
//	caller 127.0.0.1:50051 < checks.json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	frostgatev1 "example.com/caller/frostgate/v1"
)

// timeout is how long an operation may be held up by its check. A call without a deadline may wait for ever.
const timeout = 5 * time.Second

// outcome is what came of a check: one of the two.
type outcome struct {
	*answer
	*noAnswer
}

// answer is a decision. A denial is an answer too.
type answer struct {
	Allowed     bool   `json:"allowed"`
	Decision    string `json:"decision"`
	Reason      string `json:"reason"`
	Message     string `json:"message"`
	FreezeState string `json:"freeze_state,omitempty"`
	Basis       string `json:"basis,omitempty"`
}

// noAnswer is an error: not to be read as ALLOW, nor as DENY. What to do then depends on the operation.
type noAnswer struct {
	Code        string            `json:"code"`
	ErrorReason string            `json:"error_reason,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 {
		return errors.New("usage: caller HOST:PORT < checks.json")
	}
	checks, err := readChecks(in)
	if err != nil {
		return err
	}
	// One connection for as long as the program runs: when it is lost, it is made anew.
	connection, err := grpc.NewClient(arguments[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	client := frostgatev1.NewPolicyDecisionServiceClient(connection)
	oneByOne := make([]outcome, 0, len(checks))
	for _, request := range checks {
		oneByOne = append(oneByOne, check(client, request))
	}
	printer := json.NewEncoder(out)
	printer.SetIndent("", "  ")
	return printer.Encode(map[string][]outcome{"one_by_one": oneByOne, "together": checkTogether(client, checks)})
}

// readChecks reads a list of requests as JSON. A program that knows what it asks writes
// &frostgatev1.CheckOperationRequest{CustomerId: …, Operation: frostgatev1.Operation_OPERATION_PURCHASE, …}.
func readChecks(in io.Reader) ([]*frostgatev1.CheckOperationRequest, error) {
	var list []json.RawMessage
	if err := json.NewDecoder(in).Decode(&list); err != nil {
		return nil, err
	}
	checks := make([]*frostgatev1.CheckOperationRequest, len(list))
	for i, one := range list {
		checks[i] = &frostgatev1.CheckOperationRequest{}
		if err := protojson.Unmarshal(one, checks[i]); err != nil {
			return nil, err
		}
	}
	return checks, nil
}

func check(client frostgatev1.PolicyDecisionServiceClient, request *frostgatev1.CheckOperationRequest) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	response, err := client.CheckOperation(ctx, request)
	if err != nil {
		return withoutAnswer(status.Convert(err))
	}
	return answered(response)
}

// checkTogether has all decided from one state of the customers, such as for a page of buttons. What is wrong with one
// check is its own result; if the call itself fails, there is no answer to any of them.
func checkTogether(
	client frostgatev1.PolicyDecisionServiceClient, checks []*frostgatev1.CheckOperationRequest,
) []outcome {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	batch, err := client.BatchCheckOperations(ctx, &frostgatev1.BatchCheckOperationsRequest{Checks: checks})
	if err != nil {
		return slices.Repeat([]outcome{withoutAnswer(status.Convert(err))}, len(checks))
	}
	outcomes := make([]outcome, 0, len(checks))
	for _, result := range batch.GetResults() {
		if response := result.GetResponse(); response != nil {
			outcomes = append(outcomes, answered(response))
		} else {
			outcomes = append(outcomes, withoutAnswer(status.FromProto(result.GetError())))
		}
	}
	return outcomes
}

func answered(response *frostgatev1.CheckOperationResponse) outcome {
	given := &answer{
		// Whatever is not ALLOW is a denial, even a decision that this program does not know.
		Allowed:  response.GetDecision() == frostgatev1.Decision_DECISION_ALLOW,
		Decision: response.GetDecision().String(),
		Reason:   response.GetReason().String(),
		Message:  response.GetMessage(),
	}
	// An unknown customer has no state, and no rule was asked.
	if response.FreezeState != nil {
		given.FreezeState = response.GetFreezeState().String()
	}
	if response.Basis != nil {
		given.Basis = response.GetBasis().String()
	}
	return outcome{answer: given}
}

func withoutAnswer(failed *status.Status) outcome {
	why := &noAnswer{Code: code.Code(failed.Code()).String()}
	for _, detail := range failed.Details() {
		// Its reason is for programs. Errors of gRPC itself, such as DEADLINE_EXCEEDED, have none.
		if info, is := detail.(*errdetails.ErrorInfo); is {
			why.ErrorReason, why.Metadata = info.GetReason(), info.GetMetadata()
		}
	}
	return outcome{noAnswer: why}
}
