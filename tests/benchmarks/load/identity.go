package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// identity is what callers hold the server against, and what they show of themselves. Plaintext, if there is nothing.
type identity struct {
	ca          string
	certificate string
	key         string
	tokens      string
	eachOnce    bool
	// stranger is the status with which a caller is to be answered who shows nothing. Not tried if empty.
	stranger string
}

// credentials gives what connections are made with. With tokens, `bearer` gives each call the next one.
func (i identity) credentials() (transport credentials.TransportCredentials, bearer *bearer, err error) {
	if i.ca == "" {
		if i.certificate != "" || i.key != "" || i.tokens != "" {
			return nil, nil, errors.New("certificates and tokens are shown over TLS only: give -ca")
		}
		return insecure.NewCredentials(), nil, nil
	}
	config, err := i.trusting()
	if err != nil {
		return nil, nil, err
	}
	if i.certificate != "" || i.key != "" {
		shown, err := tls.LoadX509KeyPair(i.certificate, i.key)
		if err != nil {
			return nil, nil, err
		}
		config.Certificates = []tls.Certificate{shown}
	}
	if i.tokens != "" {
		if bearer, err = newBearer(i.tokens, i.eachOnce); err != nil {
			return nil, nil, err
		}
	}
	return credentials.NewTLS(config), bearer, nil
}

// trusting gives a configuration of TLS for callers who show no certificate.
func (i identity) trusting() (*tls.Config, error) {
	pem, err := os.ReadFile(i.ca)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("there is no certificate in %s", i.ca)
	}
	return &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}, nil
}

// ensureExpected makes one call as the callers will, and one as a stranger does: a server that refuses the ones, or
// lets the others in, is not to be measured. Nothing is tried in plaintext, unless a status for strangers is given.
func (i identity) ensureExpected(ctx context.Context, target string, known *grpc.ClientConn, request []byte) error {
	if i.ca == "" && i.stranger == "" {
		return nil
	}
	var got decided
	if err := known.Invoke(ctx, checkPath, request, &got); err != nil {
		return fmt.Errorf("a call is not answered OK: %w", err)
	}
	if got.decision == 0 {
		return errors.New("a call is answered without a decision")
	}
	if i.stranger == "" {
		return nil
	}
	transport, _, err := identity{ca: i.ca}.credentials()
	if err != nil {
		return err
	}
	strangers, err := connected(target, 1, transport, nil)
	if err != nil {
		return err
	}
	defer strangers[0].Close()
	answered := status.Code(strangers[0].Invoke(ctx, checkPath, request, &got)).String()
	if answered != i.stranger {
		return fmt.Errorf("a caller who shows nothing is answered %s, but %s is expected", answered, i.stranger)
	}
	return nil
}

// bearer gives each call a token: in turn, or each token to one call only.
type bearer struct {
	headers  []string
	eachOnce bool
	taken    atomic.Int64
}

func newBearer(file string, eachOnce bool) (*bearer, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b := &bearer{eachOnce: eachOnce}
	for token := range bytes.FieldsSeq(content) {
		b.headers = append(b.headers, "Bearer "+string(token))
	}
	if len(b.headers) == 0 {
		return nil, fmt.Errorf("there is no token in %s", file)
	}
	return b, nil
}

// GetRequestMetadata gives the headers of a call.
func (b *bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	number := int(b.taken.Add(1) - 1)
	if b.eachOnce && number >= len(b.headers) {
		return nil, status.Error(codes.Unauthenticated, "there is no token left")
	}
	return map[string]string{"authorization": b.headers[number%len(b.headers)]}, nil
}

// RequireTransportSecurity keeps tokens from those who listen.
func (b *bearer) RequireTransportSecurity() bool { return true }

// ensureEnough tells whether there was a token for every call.
func (b *bearer) ensureEnough() error {
	if b == nil || !b.eachOnce || int(b.taken.Load()) <= len(b.headers) {
		return nil
	}
	return fmt.Errorf("%d tokens were used up: give more", len(b.headers))
}
