module example.com/counter

go 1.26.0

require github.com/tutti-realtime/tutti v0.0.0

replace github.com/tutti-realtime/tutti => ../..
