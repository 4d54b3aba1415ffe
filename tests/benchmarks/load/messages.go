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
}

// Tags of CheckOperationRequest, and of CheckOperationResponse: number of the field << 3 | wire type.
const (
	customerIDTag  = 1<<3 | 2
	operationTag   = 2 << 3
	billingModeTag = 3 << 3
	decisionTag    = 1 << 3
	reasonTag      = 2 << 3
)

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
	request := make([]byte, 2, 64)
	request = fmt.Appendf(request, r.ids, random.IntN(r.customers))
	request[0], request[1] = customerIDTag, byte(len(request)-2)
	return append(request, r.endings[random.IntN(len(r.endings))]...)
}

// answer is what is read of a CheckOperationResponse. Zeros stand for what could not be read.
type answer struct {
	decision uint64
	reason   uint64
	size     int
}

func (a *answer) read(serialized []byte) {
	a.size = len(serialized)
	var rest []byte
	if a.decision, rest = number(decisionTag, serialized); a.decision > 0 {
		a.reason, _ = number(reasonTag, rest)
	}
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

// rawCodec sends bytes as they are, and reads an answer.
type rawCodec struct{}

func (rawCodec) Marshal(request any) ([]byte, error) { return request.([]byte), nil }

func (rawCodec) Unmarshal(serialized []byte, got any) error {
	got.(*answer).read(serialized)
	return nil
}

// Name is that of the format on the wire: the server sees nothing unusual.
func (rawCodec) Name() string { return "proto" }
