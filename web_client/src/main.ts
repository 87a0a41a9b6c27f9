import { mount } from 'svelte';
import App from './ui/App.svelte';
import './ui/theme.css';
import { language } from './words/language.svelte';

language.announce();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
