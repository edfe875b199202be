package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeysOfAnOlderFolderGetAPassword(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(`{"jwt_secret":"old","enc_key":"1234567890123456"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := openKeys(path)
	if err != nil || first.JWTSecret != "old" || first.EncKey != "1234567890123456" || len(first.Admin) < 16 {
		t.Fatalf("%+v %v", first, err)
	}
	if second, err := openKeys(path); err != nil || second != first {
		t.Errorf("the second time they are %+v, not %+v: %v", second, first, err)
	}
	fresh, err := openKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil || fresh.JWTSecret == "" || len(fresh.EncKey) != 16 || fresh.Admin == "" || fresh.Admin == first.Admin {
		t.Errorf("%+v %v", fresh, err)
	}
}
