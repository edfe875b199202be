import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// Written into the built pages only: the development server injects inline
// styles. connect-src is wide where a developer may name any server.
const policy = (page: string) => [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  /(index|classroom)\.html$/.test(page) ? "connect-src 'self' ws: wss: http: https:" : "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

const contentSecurityPolicy: Plugin = {
  name: 'content-security-policy',
  apply: 'build',
  transformIndexHtml: (_, { path }) => [
    {
      tag: 'meta',
      attrs: { 'http-equiv': 'Content-Security-Policy', content: policy(path) },
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
    rolldownOptions: { input: { console: 'index.html', status: 'status.html', classroom: 'classroom.html', admin: 'admin.html' } },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
  },
  test: { include: ['{console,status,music,classroom,admin,shared}/**/*.test.ts'], environment: 'node' },
})
