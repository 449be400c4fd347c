package docker

import (
	"context"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// outputs are read from the engine once all is as wanted.
func (w *work) outputs(ctx context.Context) (executor.Outputs, error) {
	all, err := w.list(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b found) int { return a.Number() - b.Number() })
	o := container.Outputs{ImageID: w.image.ID, URL: w.block.URL(), Host: w.place.host, Ports: map[string]int{}}
	for i, f := range all {
		o.Names = append(o.Names, f.Called())
		if address := f.address(w.firstNetwork()); address.IsValid() {
			o.Addresses = append(o.Addresses, address.String())
		}
		for _, p := range w.block.Ports {
			if n := f.published(p); i == 0 && n != 0 {
				o.Ports[p.Key()] = n
			}
		}
	}
	return o.Values(w.r), nil
}
