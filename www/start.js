import init from './page.js';

init().catch(() => document.body.classList.add('unsupported'));
