package trace

import "context"

type requestKey struct{}

// WithRequest returns a context that carries the name of a request.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// Request returns the name of the request that a context belongs to, "" for none.
func Request(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
