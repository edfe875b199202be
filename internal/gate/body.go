package gate

import "io"

// forAnybody is how many bytes of a body are read before its sender is known.
const forAnybody = 64 << 10

// A Body is the body of a request, read no further than its sender may.
type Body struct {
	io.ReadCloser
	gate   *Gate
	known  func() error // why the sender is not known, nil if it is
	read   int64        // bytes, which are held until Release
	passed bool         // known said nil
}

// Body returns a body that asks known before it is read beyond its first bytes,
// and counts what is held of all bodies. Reading ends with the error of known, or
// with a *Refusal when too much is held.
func (g *Gate) Body(body io.ReadCloser, known func() error) *Body {
	return &Body{ReadCloser: body, gate: g, known: known}
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.gate == nil {
		return b.ReadCloser.Read(p)
	}
	if !b.passed {
		if b.read >= forAnybody {
			if err := b.known(); err != nil {
				return 0, err
			}
			b.passed = true
		} else {
			p = p[:min(int64(len(p)), forAnybody-b.read)]
		}
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	most := b.gate.Settings.BodyBytes
	if held := b.gate.held.Add(int64(n)); most > 0 && held > most {
		b.gate.Metrics.refused(ServerOverloaded)
		return n, errOverloaded
	}
	return n, err
}

// Release says that nobody needs the bytes any more.
func (b *Body) Release() {
	if b.gate != nil {
		b.gate.held.Add(-b.read)
		b.read = 0
	}
}
