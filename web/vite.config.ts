import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// Written into the built pages only: the development server injects inline
// styles. connect-src is wide because a developer may name any server.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' ws: wss: http: https:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: () => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
      injectTo: 'head-prepend',
    },
  ],
}

export default defineConfig({
  plugins: [contentSecurityPolicy],
  build: {
    target: 'es2022',
    // Every page is its own entry; what two pages share becomes a chunk of its
    // own. public/.gitkeep puts the placeholder back that a build clears away.
    rolldownOptions: { input: { console: 'index.html', status: 'status.html', classroom: 'classroom.html' } },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  test: { include: ['{console,status,music,classroom}/**/*.test.ts'], environment: 'node' },
})
