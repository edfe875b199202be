package secret_test

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tutti-realtime/tutti/internal/secret"
)

const (
	key16 = "1234567890123456"
	key32 = "12345678901234567890123456789012"
)

func cipher(t testing.TB, c secret.Config) *secret.Cipher {
	t.Helper()
	s, err := secret.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// vector is a text, and what OpenSSL made of it.
type vector struct{ form, text, sealed string }

func vectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open("testdata/openssl.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		words := strings.Fields(lines.Text())
		text, textErr := hex.DecodeString(strings.TrimPrefix(words[1], "-"))
		parcel, err := hex.DecodeString(words[2])
		if textErr != nil || err != nil {
			t.Fatalf("not hex: %s", lines.Text())
		}
		v := vector{form: words[0], text: string(text), sealed: base64.StdEncoding.EncodeToString(parcel)}
		if v.form == "gcm" {
			v.sealed = "g1:" + v.sealed
		}
		all = append(all, v)
	}
	if len(all) != 12 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

func TestWhatOpenSSLSealedIsOpened(t *testing.T) {
	t.Parallel()
	s := cipher(t, secret.Config{Key: key16, KeyGCM: key32})
	for _, v := range vectors(t) {
		text, err := s.Open(v.sealed)
		if err != nil || text != v.text {
			t.Errorf("%s %q: opened %q, %v", v.form, v.text, text, err)
		}
		if s.Legacy(v.sealed) != (v.form == "ecb") {
			t.Errorf("%s %q: legacy is %v", v.form, v.text, s.Legacy(v.sealed))
		}
	}
}

// The legacy form has no chance in it, so what we seal must be what OpenSSL
// sealed. Of the other we know that we read OpenSSL's, and read our own.
func TestTheLegacyFormIsSealedAsOpenSSLDoes(t *testing.T) {
	t.Parallel()
	s := cipher(t, secret.Config{Key: key16, KeyGCM: key32})
	for _, v := range vectors(t) {
		if v.form != "ecb" {
			continue
		}
		if sealed, err := s.Seal(v.text); err != nil || sealed != v.sealed {
			t.Errorf("%q: sealed %q, %v, want %q", v.text, sealed, err, v.sealed)
		}
	}
}

func TestSettingsChooseTheForm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config secret.Config
		gcm    bool
	}{
		"a key for GCM alone reads, and writes the legacy form": {config: secret.Config{Key: key16, KeyGCM: key32}},
		"with both it writes GCM":                               {config: secret.Config{Key: key16, KeyGCM: key32, WriteGCM: true}, gcm: true},
		"GCM is asked for without a key":                        {config: secret.Config{Key: key16, WriteGCM: true}},
		"a new database needs no legacy key":                    {config: secret.Config{KeyGCM: key32, WriteGCM: true}, gcm: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := cipher(t, tt.config)
			sealed, err := s.Seal("secret")
			if err != nil || s.Legacy(sealed) == tt.gcm || s.WritesGCM() != tt.gcm {
				t.Errorf("sealed %q, %v; WritesGCM is %v", sealed, err, s.WritesGCM())
			}
		})
	}
}

func TestKeysOfAnotherLengthAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config secret.Config
		wants  string
	}{
		"a short GCM key":             {secret.Config{Key: key16, KeyGCM: "short"}, "DB_ENC_KEY_GCM must be 32 bytes long, not 5"},
		"a GCM key in base64":         {secret.Config{Key: key16, KeyGCM: base64.StdEncoding.EncodeToString([]byte(key32))}, "DB_ENC_KEY_GCM must be 32 bytes long, not 44"},
		"a long legacy key":           {secret.Config{Key: key32}, "DB_ENC_KEY must be 16 bytes long, not 32"},
		"no key at all":               {secret.Config{}, "DB_ENC_KEY must be 16 bytes long, not 0"},
		"no legacy key to write with": {secret.Config{KeyGCM: key32}, "DB_ENC_KEY must be 16 bytes long, not 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := secret.New(tt.config); err == nil || err.Error() != tt.wants {
				t.Errorf("got %v, want %s", err, tt.wants)
			}
		})
	}
}

func TestWhatCannotBeOpenedIsRefused(t *testing.T) {
	t.Parallel()
	both := cipher(t, secret.Config{Key: key16, KeyGCM: key32, WriteGCM: true})
	gcm, _ := both.Seal("secret")
	legacy, _ := cipher(t, secret.Config{Key: key16}).Seal("secret")
	for name, tt := range map[string]struct {
		by     *secret.Cipher
		sealed string
		wants  string
	}{
		"GCM without its key":           {cipher(t, secret.Config{Key: key16}), gcm, "DB_ENC_KEY_GCM is not set"},
		"GCM with another key":          {cipher(t, secret.Config{Key: key16, KeyGCM: strings.Repeat("x", 32)}), gcm, "another DB_ENC_KEY_GCM"},
		"legacy without its key":        {cipher(t, secret.Config{KeyGCM: key32, WriteGCM: true}), legacy, "DB_ENC_KEY is not set"},
		"legacy with another key":       {cipher(t, secret.Config{Key: strings.Repeat("x", 16)}), legacy, "another DB_ENC_KEY"},
		"nothing":                       {both, "", "whole AES blocks"},
		"GCM of nothing":                {both, "g1:", "too short"},
		"GCM cut off":                   {both, "g1:" + base64.StdEncoding.EncodeToString(make([]byte, 27)), "too short"},
		"GCM that is not base64":        {both, "g1:%", "not base64"},
		"a text that nobody sealed":     {both, "super-secret", "not base64"},
		"a legacy text of half a block": {both, base64.StdEncoding.EncodeToString(make([]byte, 24)), "whole AES blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, err := tt.by.Open(tt.sealed); err == nil || !strings.Contains(err.Error(), tt.wants) {
				t.Errorf("opened %q, %v, want an error with %q", text, err, tt.wants)
			}
		})
	}
}

func TestEveryChangedBitOfGCMIsNoticed(t *testing.T) {
	t.Parallel()
	s := cipher(t, secret.Config{Key: key16, KeyGCM: key32, WriteGCM: true})
	sealed, _ := s.Seal("secret")
	parcel, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sealed, "g1:"))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(parcel) * 8 {
		parcel[bit/8] ^= 1 << (bit % 8)
		if text, err := s.Open("g1:" + base64.StdEncoding.EncodeToString(parcel)); err == nil {
			t.Errorf("with bit %d changed it opened as %q", bit, text)
		}
		parcel[bit/8] ^= 1 << (bit % 8)
	}
}

func TestOneTextIsNeverSealedAlikeTwice(t *testing.T) {
	t.Parallel()
	s := cipher(t, secret.Config{Key: key16, KeyGCM: key32, WriteGCM: true})
	first, _ := s.Seal("secret")
	second, _ := s.Seal("secret")
	if first == second {
		t.Errorf("twice %q", first)
	}
}

func TestEveryTextComesBack(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{false, true} {
		s := cipher(t, secret.Config{Key: key16, KeyGCM: key32, WriteGCM: write})
		rapid.Check(t, func(t *rapid.T) {
			text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "text"))
			sealed, err := s.Seal(text)
			if err != nil {
				t.Fatal(err)
			}
			if opened, err := s.Open(sealed); err != nil || opened != text {
				t.Fatalf("sealed %q as %q, opened as %q, %v", text, sealed, opened, err)
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.sealed)
	}
	f.Add("")
	f.Add("g1:")
	f.Add("g1:g1:AAAA")
	s := cipher(f, secret.Config{Key: key16, KeyGCM: key32})
	f.Fuzz(func(t *testing.T, sealed string) {
		text, err := s.Open(sealed)
		if err != nil && text != "" {
			t.Errorf("refused %q, and yet opened as %q", sealed, text)
		}
	})
}
