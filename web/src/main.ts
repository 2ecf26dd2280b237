import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';

import { mount } from 'svelte';

import App from './App.svelte';
import { theme } from './lib/state/theme.svelte';

theme.restore();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
