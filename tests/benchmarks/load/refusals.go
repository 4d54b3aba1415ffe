package main

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
)

// longestRetryDelay is how long a caller heeds a RetryInfo at most.
const longestRetryDelay = time.Second

// named is how an outcome is counted: by its status, and by the reason that the server gives for it.
func named(err error) string {
	answered := status.Convert(err)
	for _, detail := range answered.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return answered.Code().String() + " " + info.GetReason()
		}
	}
	return answered.Code().String()
}

// retryDelay is how long the server asks its caller to wait. None if it does not ask.
func retryDelay(err error) time.Duration {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return min(info.GetRetryDelay().AsDuration(), longestRetryDelay)
		}
	}
	return 0
}
