// Package api is the read side of a server over HTTP: REST below /api/v1, and live streams as server-sent events.
//
// What always holds: it changes nothing (every method but GET and HEAD is refused with 405); errors are
// application/problem+json; every answer goes through secret.Show; one table of routes makes both the handlers and the
// OpenAPI document; a client that is slow or gone holds up nobody but itself.
//
// Imports: bus, environment, event, fault, history, secret, service, store and echo. It knows no driver and no catalogue: what it
// shows of templates comes through TemplateSource.
package api
