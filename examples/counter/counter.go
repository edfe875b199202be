// Package counter is an extension of Tutti: topics "counter:..." share a number that
// their members add to, and the database of the tenant keeps what became of it.
//
//	channel.send({ type: 'broadcast', event: 'add', payload: { by: 2 } })
//	channel.on('broadcast', { event: 'count' }, ({ payload }) => payload.value)
package counter

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tutti-realtime/tutti"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Extension returns the extension.
func Extension() tutti.Extension {
	var additions atomic.Int64
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // a fault in this file
	}
	return tutti.Extension{
		Key:      "counter",
		Settings: readSettings,
		Rooms:    func(_ any, topic string) bool { return strings.HasPrefix(topic, "counter:") },
		Events:   func(name string) bool { return name == "add" },
		Open: func(room tutti.Room) (tutti.Actor, error) {
			c := &counter{room: room, additions: &additions}
			if state, _ := room.Restored(); state != nil {
				if err := json.Unmarshal(state, &c.value); err != nil {
					return nil, fmt.Errorf("read what was kept: %w", err)
				}
			}
			return c, nil
		},
		Migrations: files,
		Routes:     []tutti.ExtensionRoute{{Method: "GET", Path: "history", Serve: serveHistory}},
		Metrics: func() []tutti.Metric {
			return []tutti.Metric{{
				Name: "additions_total", Help: "Numbers that were added.", Counter: true, Value: float64(additions.Load()),
			}}
		},
	}
}

// settings are what a tenant may say: {"most": 100}.
type settings struct {
	most int64 // that one event may add
}

func readSettings(given map[string]any) (any, error) {
	s := settings{most: 100}
	if value, there := given["most"]; there {
		n, ok := value.(float64)
		if !ok || n < 1 || n > 1e9 {
			return nil, errors.New("setting most must be a number from 1 to 1000000000")
		}
		s.most = int64(n)
	}
	return s, nil
}

// A counter is the actor of a room.
type counter struct {
	room      tutti.Room
	additions *atomic.Int64
	value     int64
}

func (c *counter) count() []byte { return fmt.Appendf(nil, `{"value":%d}`, c.value) }

// Join tells a member the number as it is.
func (c *counter) Join(m *tutti.Member) error {
	c.room.Tell(m, "count", c.count())
	return nil
}

// Hear adds.
func (c *counter) Hear(e *tutti.Event) {
	var add struct {
		By int64 `json:"by"`
	}
	most := c.room.Settings().(settings).most
	if json.Unmarshal(e.Payload, &add) != nil || add.By < -most || add.By > most {
		c.room.Tell(e.Member, "refused", fmt.Appendf(nil, `{"reason":"by must be a whole number from -%d to %d"}`, most, most))
		return
	}
	c.value += add.By
	c.additions.Add(1)
	c.room.Keep(fmt.Appendf(nil, "%d", c.value))
	c.room.Broadcast("count", c.count())
	c.note(e.Member.Claims)
}

const insertHistory = `INSERT INTO counter.history (topic, value) VALUES ($1, $2)`

// note writes the number down, in the name of whoever changed it.
func (c *counter) note(claims tutti.Claims) {
	db, topic, value := c.room.Database(), c.room.Topic().Name, c.value
	if db == nil {
		return
	}
	c.room.Go(func(ctx context.Context) func() {
		err := db.As(ctx, &claims, func(tx tutti.Tx) error {
			_, err := tx.Exec(ctx, insertHistory, topic, value)
			return err
		})
		if err == nil {
			return nil
		}
		return func() { c.room.Log().Warn("history was not written", "err", err) }
	})
}

// Leave implements tutti.Actor.
func (c *counter) Leave(*tutti.Member) {}

// Wake implements tutti.Actor.
func (c *counter) Wake(time.Time) {}

// Close implements tutti.Actor.
func (c *counter) Close() {}

const selectHistory = `SELECT value FROM counter.history WHERE topic = $1 ORDER BY id`

// serveHistory answers GET /api/extensions/counter/history?topic=... with the numbers
// so far.
func serveHistory(w http.ResponseWriter, r *http.Request, asked *tutti.ExtensionRequest) {
	if asked.Database == nil {
		http.Error(w, "the project has no database", http.StatusNotFound)
		return
	}
	values := []int64{}
	err := asked.Database.As(r.Context(), &asked.Claims, func(tx tutti.Tx) error {
		return tx.Query(r.Context(), selectHistory, func(scan func(...any) error) error {
			var value int64
			err := scan(&value)
			values = append(values, value)
			return err
		}, r.URL.Query().Get("topic"))
	})
	if err != nil {
		http.Error(w, "the history cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(values)
}
