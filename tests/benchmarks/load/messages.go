package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// requests are those that can be drawn: every customer, and every operation that exists.
type requests struct {
	ids       string
	customers int
	endings   [][]byte
	// peer is what is sent to another service than frostgate. None if there is no such.
	peer *peer
}

// Tags: number of the field << 3 | wire type.
const (
	customerIDTag  = 1<<3 | 2
	operationTag   = 2 << 3
	billingModeTag = 3 << 3
	scopeTag       = 2 << 3
	reasonTextTag  = 3<<3 | 2
	requestIDTag   = 5<<3 | 2

	checksTag       = 1<<3 | 2
	pageSizeTag     = 6 << 3
	listServicesTag = 7<<3 | 2

	decisionTag = 1 << 3
	reasonTag   = 2 << 3
	resultsTag  = 1<<3 | 2
	responseTag = 1<<3 | 2
)

// accountScope is FREEZE_SCOPE_ACCOUNT.
const accountScope = 1

// normalEvery is how many customers on the next NORMAL one is.
const normalEvery = 3

func newRequests(ids string, customers int, checks string) (*requests, error) {
	r := &requests{ids: ids, customers: customers}
	for check := range strings.SplitSeq(checks, ",") {
		mode, operation, _ := strings.Cut(check, ":")
		m, err := strconv.ParseUint(mode, 10, 7)
		if err != nil {
			return nil, fmt.Errorf("billing mode of check %q: %w", check, err)
		}
		o, err := strconv.ParseUint(operation, 10, 7)
		if err != nil {
			return nil, fmt.Errorf("operation of check %q: %w", check, err)
		}
		r.endings = append(r.endings, []byte{operationTag, byte(o), billingModeTag, byte(m)})
	}
	return r, nil
}

// draw gives a serialized CheckOperationRequest.
func (r *requests) draw(random *rand.Rand) []byte {
	return r.appendDrawn(make([]byte, 0, 64), random)
}

// drawMany gives a serialized BatchCheckOperationsRequest.
func (r *requests) drawMany(random *rand.Rand, size int) []byte {
	request := make([]byte, 0, 32*size)
	for range size {
		start := len(request) + 2
		request = r.appendDrawn(append(request, checksTag, 0), random)
		request[start-1] = byte(len(request) - start)
	}
	return request
}

func (r *requests) appendDrawn(request []byte, random *rand.Rand) []byte {
	request = r.appendCustomer(request, random.IntN(r.customers))
	return append(request, r.endings[random.IntN(len(r.endings))]...)
}

func (r *requests) appendCustomer(request []byte, number int) []byte {
	start := len(request) + 2
	request = fmt.Appendf(append(request, customerIDTag, 0), r.ids, number)
	request[start-1] = byte(len(request) - start)
	return request
}

// change gives a serialized FreezeCustomerRequest or UnfreezeCustomerRequest, which are alike.
func (r *requests) change(number int, random *rand.Rand) []byte {
	request := r.appendCustomer(make([]byte, 0, 96), number*normalEvery%r.customers)
	request = append(request, scopeTag, accountScope, reasonTextTag, 4)
	request = append(request, "load"...)
	request = append(request, requestIDTag, 36)
	high, low := random.Uint64(), random.Uint64()
	return fmt.Appendf(
		request, "%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&0xffffffffffff,
	)
}

// checkOf gives a serialized CheckOperationRequest about the customer that `change` changes.
func (r *requests) checkOf(number int) []byte {
	return append(r.appendCustomer(make([]byte, 0, 64), number*normalEvery%r.customers), r.endings[0]...)
}

// pageOfEvents gives a serialized ListFreezeEventsRequest.
func pageOfEvents(size uint64) []byte {
	return binary.AppendUvarint([]byte{pageSizeTag}, size)
}

// listServices gives a serialized ServerReflectionRequest.
func listServices() []byte {
	return []byte{listServicesTag, 1, '*'}
}

// answer is what is read of an answer. Zeros stand for what could not be read, or is not there.
type answer struct {
	decision uint64
	reason   uint64
	items    int
	size     int
	// crossed and stale are of a pair: whether two workers answered, and the later one what was no longer so.
	crossed int
	stale   int
}

// decided reads a CheckOperationResponse.
type decided answer

func (a *decided) read(serialized []byte) {
	a.size, a.items = len(serialized), 1
	var rest []byte
	if a.decision, rest = number(decisionTag, serialized); a.decision > 0 {
		a.reason, _ = number(reasonTag, rest)
	}
}

// decidedMany reads a BatchCheckOperationsResponse: how many decisions it holds, and the first.
type decidedMany answer

func (a *decidedMany) read(serialized []byte) {
	a.size = len(serialized)
	for result, rest := bytesOf(resultsTag, serialized); result != nil; result, rest = bytesOf(resultsTag, rest) {
		response, _ := bytesOf(responseTag, result)
		var one decided
		if one.read(response); one.decision == 0 {
			return
		}
		if a.items == 0 {
			a.decision, a.reason = one.decision, one.reason
		}
		a.items++
	}
}

// whole reads nothing but the size.
type whole answer

func (a *whole) read(serialized []byte) { a.size, a.items = len(serialized), 1 }

// raw keeps the bytes.
type raw []byte

func (r *raw) read(serialized []byte) { *r = append((*r)[:0], serialized...) }

// field reads a number, wherever it stands in a message of numbers and bytes. 0 if it is not there.
func field(message []byte, wanted uint64) uint64 {
	for len(message) > 0 {
		tag, size := binary.Uvarint(message)
		if size <= 0 {
			return 0
		}
		value, length := binary.Uvarint(message[size:])
		if length <= 0 {
			return 0
		}
		message = message[size+length:]
		switch {
		case tag&7 == 0 && tag>>3 == wanted:
			return value
		case tag&7 == 2 && value <= uint64(len(message)):
			message = message[value:]
		case tag&7 != 0:
			return 0
		}
	}
	return 0
}

// number reads a field that the bytes begin with, and gives those after it.
func number(tag byte, from []byte) (uint64, []byte) {
	if len(from) < 2 || from[0] != tag {
		return 0, nil
	}
	value, size := binary.Uvarint(from[1:])
	if size <= 0 {
		return 0, nil
	}
	return value, from[1+size:]
}

// bytesOf reads a field of bytes that the bytes begin with, and gives those after it.
func bytesOf(tag byte, from []byte) (field, rest []byte) {
	length, rest := number(tag, from)
	if rest == nil || uint64(len(rest)) < length {
		return nil, nil
	}
	return rest[:length], rest[length:]
}

// rawCodec sends bytes as they are, and reads an answer.
type rawCodec struct{}

func (rawCodec) Marshal(request any) ([]byte, error) { return request.([]byte), nil }

func (rawCodec) Unmarshal(serialized []byte, got any) error {
	got.(interface{ read([]byte) }).read(serialized)
	return nil
}

// Name is that of the format on the wire: the server sees nothing unusual.
func (rawCodec) Name() string { return "proto" }
