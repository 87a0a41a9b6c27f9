import { mount } from 'svelte';
import WatchApp from '../ui/watch/WatchApp.svelte';
import '../ui/theme.css';
import { language } from '../words/language.svelte';

language.announce();
const target = document.getElementById('app');
if (target !== null) mount(WatchApp, { target });
