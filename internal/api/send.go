package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tutti-realtime/tutti"
)

// errAuthorize is what a caller is told when the policies gave no answer.
var errAuthorize = &Refusal{http.StatusInternalServerError, "Unable to authorize broadcast"}

func (a *API) full() bool { return a.Full != nil && a.Full() }

// mayBroadcast returns an error if so many messages are more than the tenant's
// rate has room for.
func (c *caller) mayBroadcast(count int) error {
	rate, most := c.meters.Events.Average(), float64(c.tenant.MaxEventsPerSecond)
	switch {
	case rate > most:
		return errEvents
	case float64(count)+rate > most:
		return errBatchTooLong
	}
	return nil
}

// unauthorized returns what the caller is told of an error of the policies.
func unauthorized(err error) error {
	if _, ok := errors.AsType[*Refusal](err); ok {
		return err
	}
	return fmt.Errorf("%w: %w", errAuthorize, err)
}

// drop is where the private messages of a batch end that may not go out. The
// caller is not told.
func (a *API) drop(ctx context.Context, topic tutti.Topic, err error) {
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError {
		a.Log.DebugContext(ctx, "private broadcast dropped", "tenant", topic.Tenant, "topic", topic.Name, "err", err)
		return
	}
	a.Log.ErrorContext(ctx, "authorizing a broadcast failed", "code", "UnableToHandleBroadcast", "tenant", topic.Tenant, "topic", topic.Name, "err", err)
}
