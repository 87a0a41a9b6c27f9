import { mount } from 'svelte';
import { watchLoading } from './loading/again';
import App from './ui/App.svelte';
import './ui/theme.css';
import { language } from './words/language.svelte';

watchLoading();
language.announce();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
