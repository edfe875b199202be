package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tutti-realtime/tutti"
	"github.com/tutti-realtime/tutti/internal/postgres"
	"github.com/tutti-realtime/tutti/internal/postmaster/postmastertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(postmastertest.With(m)) }

// sound is a database with which all is well.
func sound() postgres.Examination {
	return postgres.Examination{
		Server: postgres.ExaminedServer{
			Version: 150018, WalLevel: "logical", MaxReplicationSlots: 10, MaxWalSenders: 10, MaxConnections: 100,
			MaxSlotWalKeep: 4 << 30, TimeZone: "UTC",
		},
		Login: postgres.ExaminedLogin{Name: "tutti", Replication: true},
		Roles: []postgres.ExaminedRole{{Name: "anon", Exists: true, Open: true}},
		Publications: []postgres.ExaminedPublication{
			{Name: "supabase_realtime", Tables: []string{"public.todos"}, Insert: true, Update: true, Delete: true},
		},
		Slots:    []postgres.ExaminedSlot{{Name: "ours", Active: true, WalStatus: "reserved"}},
		Messages: postgres.ExaminedMessages{Exists: true, RowSecurity: true, SelectPolicies: 1, InsertPolicies: 1},
	}
}

func judge(e *postgres.Examination) *Report {
	r := &Report{}
	r.examined(tutti.Database{Host: "127.0.0.1", Publication: "supabase_realtime", Pool: 1}, "ours", *e)
	return r
}

func TestASoundDatabase(t *testing.T) {
	e := sound()
	r := judge(&e)
	if r.Worst() != OK {
		t.Errorf("%+v", r.Findings)
	}
}

func TestWhatIsWrongIsFoundAndHasACure(t *testing.T) {
	for name, tt := range map[string]struct {
		harm       func(e *postgres.Examination)
		status     Status
		what, cure string
	}{
		"an old server":        {func(e *postgres.Examination) { e.Server.Version = 130022 }, Problem, "version", "upgrade"},
		"a server to come":     {func(e *postgres.Examination) { e.Server.Version = 250000 }, Warning, "version", "newer tutti"},
		"a replica":            {func(e *postgres.Examination) { e.Server.InRecovery = true }, Problem, "primary", "connect to the primary"},
		"no logical log":       {func(e *postgres.Examination) { e.Server.WalLevel = "replica" }, Problem, "wal_level", "SET wal_level = logical"},
		"no slot is free":      {func(e *postgres.Examination) { e.Server.ReplicationSlots = 10 }, Warning, "replication slots", "max_replication_slots"},
		"no sender is free":    {func(e *postgres.Examination) { e.Server.WalSenders = 10 }, Warning, "wal senders", "max_wal_senders"},
		"few connections":      {func(e *postgres.Examination) { e.Server.Connections = 97 }, Warning, "connections", "max_connections"},
		"no right":             {func(e *postgres.Examination) { e.Login.Replication = false }, Problem, "replication right", `ALTER ROLE "tutti" REPLICATION`},
		"a role is missing":    {func(e *postgres.Examination) { e.Roles[0].Exists = false }, Warning, "role anon", `CREATE ROLE "anon"`},
		"a role is closed":     {func(e *postgres.Examination) { e.Roles[0].Open = false }, Problem, "role anon", `GRANT "anon" TO "tutti"`},
		"no publication":       {func(e *postgres.Examination) { e.Publications = nil }, Warning, "publication supabase_realtime", "CREATE PUBLICATION"},
		"an empty publication": {func(e *postgres.Examination) { e.Publications[0].Tables = nil }, Warning, "publication supabase_realtime", "ADD TABLE"},
		"half a publication":   {func(e *postgres.Examination) { e.Publications[0].Delete = false }, Warning, "publication supabase_realtime", "publish = "},
		"a lost slot":          {func(e *postgres.Examination) { e.Slots[0].WalStatus = "lost" }, Problem, "slot ours", "pg_drop_replication_slot('ours')"},
		"a slot that grows":    {func(e *postgres.Examination) { e.Slots[0].Retained = 2 << 30 }, Warning, "slot ours", "max_slot_wal_keep_size"},
		"somebody else's slot": {func(e *postgres.Examination) {
			e.Slots = append(e.Slots, postgres.ExaminedSlot{Name: "realtime_old", WalStatus: "reserved"})
		}, Warning, "slot realtime_old", "pg_drop_replication_slot('realtime_old')"},
		"slots without end":     {func(e *postgres.Examination) { e.Server.MaxSlotWalKeep = -1 }, Warning, "max_slot_wal_keep_size", "ALTER SYSTEM SET max_slot_wal_keep_size"},
		"an obstacle":           {func(e *postgres.Examination) { e.Obstacle = &postgres.Defect{Cause: "no right", Cure: "GRANT it"} }, Problem, "realtime.messages", "GRANT it"},
		"a defect":              {func(e *postgres.Examination) { e.Defects = []*postgres.Defect{{Cause: "a role", Cure: "GRANT it"}} }, Warning, "realtime.messages", "GRANT it"},
		"no row-level security": {func(e *postgres.Examination) { e.Messages.RowSecurity = false }, Problem, "realtime.messages", "ENABLE ROW LEVEL SECURITY"},
		"a missing day":         {func(e *postgres.Examination) { e.Messages.MissingDays = []string{"2026-11-25"} }, Warning, "partitions", "within the hour"},
		"nobody may read":       {func(e *postgres.Examination) { e.Messages.SelectPolicies = 0 }, Warning, "policies to read", "FOR SELECT"},
		"nobody may write":      {func(e *postgres.Examination) { e.Messages.InsertPolicies = 0 }, Warning, "policies to write", "FOR INSERT"},
		"a clock that is wrong": {func(e *postgres.Examination) { e.ClockSkew = -time.Minute }, Warning, "clock", "time server"},
		"local time":            {func(e *postgres.Examination) { e.Server.TimeZone = "Europe/Berlin" }, Warning, "time zone", "SET timezone = 'UTC'"},
	} {
		t.Run(name, func(t *testing.T) {
			e := sound()
			tt.harm(&e)
			r := judge(&e)
			if r.Worst() != tt.status {
				t.Errorf("worst is %s, want %s", r.Worst(), tt.status)
			}
			for _, f := range r.Findings {
				if f.Status == tt.status && f.What == tt.what && strings.Contains(f.Cure, tt.cure) {
					return
				}
			}
			t.Errorf("not found: %s %s → %s\n%+v", tt.status, tt.what, tt.cure, r.Findings)
		})
	}
}

func TestEncryption(t *testing.T) {
	for name, tt := range map[string]struct {
		settings tutti.Database
		tls      bool
		want     Status
	}{
		"on this machine":         {tutti.Database{Host: "localhost"}, false, OK},
		"in the clear":            {tutti.Database{Host: "db.example.com"}, false, Warning},
		"without verification":    {tutti.Database{Host: "db.example.com", SSL: true}, true, Warning},
		"with a certificate's CA": {tutti.Database{Host: "db.example.com", SSL: true, CA: "pem"}, true, OK},
	} {
		r := &Report{}
		r.tls(tt.settings, postgres.ExaminedServer{TLS: tt.tls})
		if r.Worst() != tt.want {
			t.Errorf("%s: %+v", name, r.Findings)
		}
	}
}

func TestARealDatabase(t *testing.T) {
	c, err := pgx.ParseConfig(postmastertest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	settings := tutti.Database{
		Host: c.Host, Port: c.Port, Name: c.Database, User: c.User, Password: c.Password, Pool: 1, Publication: "supabase_realtime",
	}
	if r := Examine(t.Context(), settings, "ours"); r.Worst() != OK {
		t.Errorf("%+v", r.Findings)
	}
	settings.Password = "wrong"
	if r := Examine(t.Context(), settings, "ours"); r.Worst() != Problem || !strings.Contains(r.Findings[0].Cure, "db_password") {
		t.Errorf("%+v", r.Findings)
	}
}
