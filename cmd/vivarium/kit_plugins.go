package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/vivarium-env/vivarium/pkg/executor/plugin"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// plug adds the executors that are programs in the configured folder. A server does so too, without running them: it compiles
// templates with their kinds.
func (k *kit) plug(ctx context.Context, variables map[string]string) error {
	plugins, err := loadPlugins(ctx, k.settings.Runner.Plugins, k.kinds, variables, k.log)
	if err != nil {
		return err
	}
	for _, p := range plugins {
		k.takes(true, p)
	}
	k.plugins = plugins
	return nil
}

// loadPlugins starts every program of the folder to learn its kind, which has to be one that kinds has not.
func loadPlugins(ctx context.Context, folder string, kinds template.Kinds, variables map[string]string, log *slog.Logger) ([]*plugin.Plugin, error) {
	paths, err := plugin.Discover(folder)
	if err != nil {
		return nil, err
	}
	owner := map[string]string{}
	var plugins []*plugin.Plugin
	for _, path := range paths {
		p, err := plugin.Load(ctx, plugin.Options{Path: path, Environment: environmentOf(variables), Log: log.With("executor", "plugin")})
		if err != nil {
			return nil, err
		}
		kind := p.Kind().Name
		if _, own := kinds[kind]; own {
			return nil, fmt.Errorf("the plugin %s is of the kind %q, which is Vivarium's own: give it another name", path, kind)
		}
		if other := owner[kind]; other != "" {
			return nil, fmt.Errorf("the plugins %s and %s are both of the kind %q: take one of them out of the folder", other, path, kind)
		}
		owner[kind] = path
		plugins = append(plugins, p)
		log.Info("a plugin was found", "kind", kind, "path", path)
	}
	return plugins, nil
}

// endPlugins ends those that run.
func (k *kit) endPlugins(context.Context) error {
	for _, p := range k.plugins {
		p.Close()
	}
	return nil
}
