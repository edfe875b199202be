package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/phoenix"
)

// Who says which clients of a tenant are meant. Its zero value is all of them.
type Who struct {
	Subject string // claim "sub" of their token; "" is anybody's
	Topic   string // a topic that they have joined, without "realtime:"; "" is any
	Private *bool  // whether that topic is private; nil is both
}

// operation returns the handler of a POST that does something to a tenant, and
// has no more to say than that it is done.
func (g *registrar) operation(action string, do func(ctx context.Context, id string) error) managed {
	return func(w http.ResponseWriter, v *visit) error {
		t, err := g.tenant(v)
		if err != nil {
			return err
		}
		if do != nil {
			if err := do(v.Context(), t.ExternalID); err != nil {
				return fmt.Errorf("%s tenant %q: %w", action, t.ExternalID, err)
			}
		}
		g.changed(v, action, t.ExternalID, nil)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// health says how a tenant is. A sick one is an answer like any other.
func (g *registrar) health(w http.ResponseWriter, v *visit) error {
	t, err := g.tenant(v)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]any{"data": g.healthOf(v.Context(), t)})
	return nil
}

func (g *registrar) healthOf(ctx context.Context, t *tutti.Tenant) Health {
	if g.Health != nil {
		return g.Health(ctx, t)
	}
	return Health{Healthy: true, ConnectedCluster: g.Meters.Of(t.ExternalID).Users()}
}

// clients does something with those clients of a tenant whom the body names, and
// answers how many it was done with.
func (g *registrar) clients(operation, done string, do func(context.Context, string, Who) (int, error)) func(http.ResponseWriter, *visit) error {
	return func(w http.ResponseWriter, v *visit) error {
		t, err := g.tenant(v)
		if err != nil {
			return err
		}
		who, err := readWho(v.Request)
		if err != nil {
			return err
		}
		if do == nil {
			return errCannot
		}
		n, err := do(v.Context(), t.ExternalID, who)
		if err != nil {
			return fmt.Errorf("%s clients of tenant %q: %w", operation, t.ExternalID, err)
		}
		g.changed(v, operation, t.ExternalID, who.given())
		answer(w, http.StatusOK, map[string]any{"data": map[string]int{done: n}})
		return nil
	}
}

// given names what it says.
func (who *Who) given() []string {
	var names []string
	if who.Subject != "" {
		names = append(names, "sub")
	}
	if who.Topic != "" {
		names = append(names, "topic")
	}
	if who.Private != nil {
		names = append(names, "private")
	}
	return names
}

// readWho reads {"sub":...}, {"topic":...,"private":...} or {}, which is all. A
// name that it does not know is refused: misspelt, it would mean all as well.
func readWho(r *http.Request) (who Who, err error) {
	body, mediaType, err := readBody(r)
	switch {
	case err != nil:
		return who, err
	case !isJSON(mediaType):
		return who, errNotJSON
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		return who, bare(http.StatusBadRequest)
	}
	wrong := faults{}
	for name, value := range phoenix.Members(body) {
		var fault string
		switch name {
		case "sub":
			who.Subject, fault = text(value)
		case "topic":
			who.Topic, fault = text(value)
		case "private":
			private, ok := boolean(value)
			if !ok {
				fault = notValid
			}
			who.Private = &private
		default:
			fault = "is unknown"
		}
		if fault != "" {
			wrong.add(name, fault)
		}
	}
	if who.Private != nil && who.Topic == "" && wrong["topic"] == nil {
		wrong.add("topic", blank)
	}
	if len(wrong) > 0 {
		return who, wrong
	}
	return who, nil
}
