package postgres

import (
	"slices"
	"testing"
	"time"
)

func TestExamine(t *testing.T) {
	t.Parallel()
	p := preparedMessages(t)
	p.exec(t, `CREATE POLICY one ON realtime.messages FOR SELECT USING (true);
		CREATE POLICY two ON realtime.messages FOR ALL USING (true);
		CREATE TABLE realtime.messages_2020_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')`)
	slot := "realtime_" + newID()[:8]
	login, d := p.as(t, "REPLICATION CREATEROLE", "GRANT anon TO LOGIN")
	p.exec(t, "SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	defer p.exec(t, "SELECT pg_drop_replication_slot('"+slot+"')")
	e, err := d.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := e.Server
	if s.Version < 140000 || s.InRecovery || s.WalLevel != "logical" || s.MaxReplicationSlots < 1 || s.ReplicationSlots < 1 || s.MaxWalSenders < 1 ||
		s.MaxConnections < 2 || s.ReservedConnections < 1 || s.Connections < 2 || s.MaxSlotWalKeep != -1 && s.MaxSlotWalKeep < 1 || s.TimeZone == "" || s.TLS {
		t.Errorf("the server is %+v", s)
	}
	if e.Login != (ExaminedLogin{Name: login, Replication: true, CreateRole: true}) {
		t.Errorf("we are %+v", e.Login)
	}
	roles := []ExaminedRole{{"anon", true, true, false}, {"authenticated", true, false, false}, {"service_role", true, false, true}}
	if !slices.Equal(e.Roles, roles) {
		t.Errorf("roles are %+v", e.Roles)
	}
	i := slices.IndexFunc(e.Publications, func(p ExaminedPublication) bool { return p.Name == MessagesPublication })
	if i < 0 || e.Publications[i].AllTables || !e.Publications[i].Insert || e.Publications[i].ViaRoot || len(e.Publications[i].Tables) != 6 {
		t.Errorf("publications are %+v", e.Publications)
	}
	i = slices.IndexFunc(e.Slots, func(s ExaminedSlot) bool { return s.Name == slot })
	if i < 0 || e.Slots[i].Plugin != "pgoutput" || e.Slots[i].Database != p.super.Config().Database || e.Slots[i].Active || e.Slots[i].Temporary ||
		e.Slots[i].Retained < 0 || e.Slots[i].WalStatus != "reserved" {
		t.Errorf("slots are %+v", e.Slots)
	}
	m := e.Messages
	if !m.Exists || !m.RowSecurity || len(m.Partitions) != 6 || len(m.MissingDays) != 0 || m.SelectPolicies != 2 || m.InsertPolicies != 1 {
		t.Errorf("messages is %+v", m)
	}
	if e.Obstacle == nil || e.Obstacle.Code != SubjectToPolicies || len(e.Defects) != 2 || len(e.Missing) != 0 {
		t.Errorf("it says %v, %v, missing is %q", e.Obstacle, e.Defects, e.Missing)
	}
	if e.ClockSkew.Abs() > time.Second || e.RoundTrip <= 0 || e.RoundTrip > time.Minute {
		t.Errorf("the clock is off by %v, after %v", e.ClockSkew, e.RoundTrip)
	}
}

func TestExamineADatabaseThatHasNothing(t *testing.T) {
	t.Parallel()
	p := freshMessages(t)
	e, err := p.Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Messages.Exists || e.Messages.Partitions != nil || e.Obstacle != nil || len(e.Missing) != 8 || !e.Login.Superuser || !e.Login.BypassRLS {
		t.Errorf("it is %+v", e)
	}
}
